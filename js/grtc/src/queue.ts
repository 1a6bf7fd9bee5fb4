// One queue per call: what touches the peer connection runs one step after the other.

export class SerialQueue {
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  /** Runs the task after those before it. A task that throws is handed to `onError` and does not stop the others. */
  run(task: () => Promise<void>, onError: (error: unknown) => void): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) return;
      try {
        await task();
      } catch (error) {
        if (!this.#closed) onError(error);
      }
    });
  }

  /** What waits is dropped, and errors of what runs are of no interest any more. */
  close(): void {
    this.#closed = true;
  }
}
