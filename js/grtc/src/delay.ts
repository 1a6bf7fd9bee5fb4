// Waiting, with a way to stop waiting.

/** True after `milliseconds`, false as soon as the signal is aborted. */
export function delay(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const finish = (whole: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(whole);
    };
    const onAbort = (): void => finish(false);
    const timer = setTimeout(() => finish(true), milliseconds);
    signal.addEventListener('abort', onAbort);
  });
}

/** A signal that follows another and can also be ended by a time limit (0: none) or by hand. */
export class Limit {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #outer: AbortSignal;
  readonly #onOuter = (): void => this.#controller.abort();
  #expired = false;

  constructor(outer: AbortSignal, milliseconds: number) {
    this.#outer = outer;
    if (outer.aborted) this.#controller.abort();
    outer.addEventListener('abort', this.#onOuter);
    if (milliseconds > 0) {
      this.#timer = setTimeout(() => {
        this.#expired = true;
        this.#controller.abort();
      }, milliseconds);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was the time limit that ended it. */
  get expired(): boolean {
    return this.#expired;
  }

  /** To be called when what was limited has ended. */
  release(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#onOuter);
  }
}
