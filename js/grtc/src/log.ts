// The log of one client: five levels (guide, "setLogLevel"), written to the browser's console.

import { describe } from './errors.js';

export const LOG_LEVEL_NONE = 0;
export const LOG_LEVEL_ERROR = 1;
export const LOG_LEVEL_NOTICE = 2;
export const LOG_LEVEL_INFO = 3;
export const LOG_LEVEL_DEBUG = 4;

export type LogLevel = 0 | 1 | 2 | 3 | 4;

/** Where lines end up. */
export type LogSink = (level: LogLevel, line: string) => void;

export class Logger {
  #level: LogLevel = LOG_LEVEL_INFO;
  readonly #sink: LogSink;

  constructor(sink: LogSink) {
    this.#sink = sink;
  }

  get level(): LogLevel {
    return this.#level;
  }

  set level(level: LogLevel) {
    this.#level = level;
  }

  error(message: string, exception?: unknown): void {
    this.#write(LOG_LEVEL_ERROR, message, exception);
  }

  notice(message: string, exception?: unknown): void {
    this.#write(LOG_LEVEL_NOTICE, message, exception);
  }

  info(message: string, exception?: unknown): void {
    this.#write(LOG_LEVEL_INFO, message, exception);
  }

  debug(message: string, exception?: unknown): void {
    this.#write(LOG_LEVEL_DEBUG, message, exception);
  }

  #write(level: LogLevel, message: string, exception: unknown): void {
    if (level > this.#level) return;
    this.#sink(level, exception === undefined || exception === null ? message : `${message} ${describe(exception)}`);
  }
}
