#!/usr/bin/env python3
"""The loudspeaker of a test's softphone: takes raw samples from standard input at the speed of a real one and appends them to a
file. usage: recorder.py BYTES_PER_SECOND FILE"""
import fcntl
import os
import sys
import time

F_SETPIPE_SZ = 1031
PERIOD = 0.02


def keep_pipe_small():
    """A full pipe is what holds the phone back, so little may fit into it. What was in it before is the silence of the start."""
    while True:
        try:
            fcntl.fcntl(0, F_SETPIPE_SZ, 4096)
            return
        except OSError:
            os.read(0, 65536)


def main():
    bytes_per_second, path = int(sys.argv[1]), sys.argv[2]
    keep_pipe_small()
    size = int(bytes_per_second * PERIOD)
    due = time.monotonic()
    with open(path, "ab", buffering=0) as recording, open(0, "rb", buffering=0) as samples:
        while chunk := samples.read(size):
            recording.write(chunk)
            due = max(due + len(chunk) / bytes_per_second, time.monotonic() - 0.2)
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
