// The events of the API: `client.onConnect.add(handler)`.
//
// Handlers run in the order in which they were added; a handler is kept once however often it is added; a handler that
// returns `false` stops the later ones. A handler that throws is reported and does not stop anything.

export type Handler<T> = (data: T) => unknown;

export class EventHook<T> {
  #handlers: Handler<T>[] = [];
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Adds handlers, one or several, alone or in arrays. Anything but a function is ignored. */
  add(...handlers: (Handler<T> | readonly Handler<T>[])[]): this {
    for (const handler of handlers.flat()) {
      if (typeof handler === 'function' && !this.#handlers.includes(handler)) this.#handlers.push(handler);
    }
    return this;
  }

  remove(...handlers: Handler<T>[]): this {
    this.#handlers = this.#handlers.filter((handler) => !handlers.includes(handler));
    return this;
  }

  /** Whether this handler has been added; without an argument, whether any has. */
  has(handler?: Handler<T>): boolean {
    return handler === undefined ? this.#handlers.length > 0 : this.#handlers.includes(handler);
  }

  empty(): this {
    this.#handlers = [];
    return this;
  }

  /** Runs the handlers that are there now. One that an earlier handler removes meanwhile is left out. */
  fire(data: T): this {
    for (const handler of [...this.#handlers]) {
      if (!this.#handlers.includes(handler)) continue;
      try {
        if (handler(data) === false) break;
      } catch (error) {
        this.#report(error);
      }
    }
    return this;
  }
}
