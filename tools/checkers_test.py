#!/usr/bin/env python3
"""The checkers catch what they are for: each test plants one violation in a small tree and expects it to be named."""
import pathlib
import subprocess
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent
LAYERS = "base : |\ncore/stun : base |\nio/udp : base | linux\n"


def check(tool, files, *options):
    """Runs a checker on a tree of these files: exit status and what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {"layers.txt": LAYERS, **files}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([TOOLS / tool, "--root", root, *options], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class Layers(unittest.TestCase):
    def refuse(self, name, include, expected):
        status, output = check("check_layers", {name: f"#include {include}\n"})
        self.assertEqual(status, 1, output)
        self.assertIn(f"{name}:1:", output)
        self.assertIn(expected, output)

    def test_allowed_includes_pass(self):
        files = {"src/core/stun/a.cc": '#include "base/b.h"\n#include <vector>\n', "src/io/udp/a.cc": "#include <sys/socket.h>\n"}
        self.assertEqual(check("check_layers", files)[0], 0)

    def test_an_upward_include_is_refused(self):
        self.refuse("src/base/a.cc", '"core/stun/b.h"', "base may not include core/stun")

    def test_a_third_party_header_of_another_folder_is_refused(self):
        self.refuse("src/core/stun/a.h", "<sys/socket.h>", "Folders that may: io/udp")
        self.refuse("src/core/stun/a.h", "<openssl/evp.h>", "may not use openssl")

    def test_an_unknown_library_is_refused(self):
        self.refuse("src/base/a.h", "<curl/curl.h>", "belongs to no library")

    def test_test_headers_stay_in_tests(self):
        self.refuse("src/base/a.cc", "<gtest/gtest.h>", "is for tests")
        self.assertEqual(check("check_layers", {"src/base/a_test.cc": "#include <gtest/gtest.h>\n"})[0], 0)
        fixture = {"src/base/fixture.h": "#include <gtest/gtest.h>\n", "src/base/a_test.cc": '#include "base/fixture.h"\n'}
        self.assertEqual(check("check_layers", fixture)[0], 0)
        self.assertEqual(check("check_layers", {**fixture, "src/base/a.cc": '#include "base/fixture.h"\n'})[0], 1)

    def test_a_folder_that_is_not_listed_is_refused(self):
        self.refuse("src/core/new/a.cc", "<vector>", "not in layers.txt")


class Ambient(unittest.TestCase):
    def test_each_kind_is_caught_below_io_and_free_in_it(self):
        for line, expected in [
            ("auto t = std::chrono::steady_clock::now();", "reads a clock"),
            ("auto t = time(nullptr);", "reads a clock"),
            ("std::this_thread::sleep_for(1s);", "sleeps"),
            ("std::mutex lock_;", "threads or locks"),
            ("std::atomic<int> n;", "threads or locks"),
            ("int fd = ::socket(AF_INET, SOCK_DGRAM, 0);", "socket"),
            ("std::random_device chance;", "randomness"),
            ("int n = rand();", "randomness"),
            ('auto home = getenv("HOME");', "environment"),
            ('std::cerr << "hello";', "prints"),
        ]:
            with self.subTest(line=line):
                status, output = check("check_ambient", {"src/core/stun/a.cc": f"int x;\n{line}\n"})
                self.assertEqual(status, 1, line)
                self.assertIn("src/core/stun/a.cc:2:", output)
                self.assertIn(expected, output)
                self.assertEqual(check("check_ambient", {"src/io/udp/a.cc": f"{line}\n"})[0], 0)

    def test_comments_strings_and_members_are_no_calls(self):
        text = '// steady_clock::now() is for io/\nauto s = "rand()";\nserver.socket(1);\nauto strand = uptime(2);\n'
        self.assertEqual(check("check_ambient", {"src/base/a.cc": text})[0], 0)


class Style(unittest.TestCase):
    def refuse(self, name, text, expected):
        status, output = check("check_style", {name: text})
        self.assertEqual(status, 1, output)
        self.assertIn(name, output)
        self.assertIn(expected, output)

    def test_a_good_file_passes(self):
        self.assertEqual(check("check_style", {"src/base/a.h": "// Nothing at all.\n#pragma once\n"})[0], 0)

    def test_a_long_file_is_refused(self):
        self.refuse("src/base/a.ts", "// Long.\n" + "x;\n" * 600, "601 lines")

    def test_leftovers_are_refused(self):
        self.refuse("src/base/a.cc", "// A.\n// TO" "DO more\n", "left over")

    def test_sleeping_tests_are_refused(self):
        self.refuse("src/base/a_test.cc", "// A.\nvoid f() { sleep_for(1); }\n", "a test that sleeps")
        self.refuse("tests/integration/a.test.ts", "// A.\nawait new Promise((r) => setTimeout(r, 500));\n", "a test that sleeps")

    def test_a_missing_subject_is_refused(self):
        self.refuse("src/base/a.h", "#pragma once\n", "what this file is about")

    def test_unformatted_code_is_refused(self):
        self.refuse("src/base/a.cc", "// A.\nint   x ;\n", "not formatted")


class CountTests(unittest.TestCase):
    def count(self, log):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write(log)
            file.flush()
            return subprocess.run([TOOLS / "count_tests", file.name], capture_output=True, text=True, check=True).stdout.strip()

    def test_a_program_counts_its_cases_and_a_corpus_counts_one(self):
        log = "1: [  PASSED  ] 12 tests.\n1/3 Test #1: unit.base ....   Passed    0.01 sec\n2/3 Test #2: corpus.sdp ...   Passed    0.01 sec\n"
        self.assertEqual(self.count(log), "13 0")

    def test_failures_and_crashes_count(self):
        log = ("1: [  PASSED  ] 3 tests.\n1: [  FAILED  ] 2 tests, listed below:\n1/2 Test #1: unit.a ...***Failed    0.01 sec\n"
               "2/2 Test #2: unit.b ...***Exception: SegFault  0.2 sec\n")
        self.assertEqual(self.count(log), "3 3")

    def test_vitest_unittest_and_our_own_lines_count(self):
        log = (" Test Files  1 failed | 2 passed (3)\n      Tests  1 failed | 20 passed (21)\nRan 4 tests in 1.0s\n\nFAILED (failures=1)\n"
               "ok: a\nFAILED: b\n")
        self.assertEqual(self.count(log), "24 3")


if __name__ == "__main__":
    unittest.main()
