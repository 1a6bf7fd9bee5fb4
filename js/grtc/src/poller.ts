// The hanging GET of a login: one after the other, each given up after `polling_timeout`, each failure followed by
// another try after 3 s (guide, "onConnectionError"; signalling, section 2).

import { delay, Limit } from './delay.js';
import { describe } from './errors.js';
import { receiveUrl, type Login } from './login.js';
import type { Logger } from './log.js';
import type { HttpReply, Platform } from './platform/platform.js';
import { isReachable } from './reach.js';

export interface PollerOptions {
  readonly known: readonly string[];
  /** Milliseconds; 0 is never. */
  readonly pollingTimeout: number;
  readonly log: Logger;
}

export interface PollerListener {
  /** Nothing is wrong; the body may be empty ("nothing yet"). Returns the milliseconds to wait before the next request. */
  handleReply(reply: HttpReply): number;
  /** It will be tried again in 3 s, unless the listener stops it. `unreachable`: no reply came at all. */
  handleFailure(status: string, unreachable: boolean): void;
  /** The gateway says that there is no such session; `unknown`: and knows nothing of one. Its words, if any. Stops. */
  handleGone(unknown: boolean, reason: string): void;
}

export const kRetryDelay = 3000;
/** An empty reply that comes sooner than this is no "nothing yet": do not spin. */
const kEmptyReplyMin = 200;
/** A limit that was kept this much too late: the machine has slept. */
const kSleepMin = 20000;

export class Poller {
  readonly #platform: Platform;
  readonly #login: Login;
  readonly #options: PollerOptions;
  readonly #listener: PollerListener;
  #round: AbortController | null = null;
  #asking: AbortSignal | null = null; // of the round whose request is under way
  #finishing = false;

  constructor(platform: Platform, login: Login, options: PollerOptions, listener: PollerListener) {
    this.#platform = platform;
    this.#login = login;
    this.#options = options;
    this.#listener = listener;
  }

  /** Whether it goes on for as long as nobody ends it. */
  get isRunning(): boolean {
    return this.#round !== null && !this.#finishing;
  }

  /** Whether a request is under way. */
  get isAsking(): boolean {
    return this.#round !== null && this.#asking === this.#round.signal;
  }

  /** Begins; if it runs already, a new request takes the place of the present one or of the pause. */
  start(): void {
    this.stop();
    const round = new AbortController();
    this.#round = round;
    void this.#run(round.signal);
  }

  stop(): void {
    this.#round?.abort();
    this.#round = null;
    this.#finishing = false;
  }

  /** Makes no further request. The one under way is for the gateway to end: one that is cut may reach it all the same, later. */
  finish(): void {
    this.#finishing = true;
  }

  /** After finish(), while a request is under way: not so. */
  goOn(): void {
    this.#finishing = false;
  }

  async #run(stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted && !this.#finishing) {
      const pause = await this.#poll(stopped);
      if (pause > 0) await delay(pause, stopped);
    }
    if (!stopped.aborted) this.stop();
  }

  /** One request. Resolves to the pause before the next one. */
  async #poll(stopped: AbortSignal): Promise<number> {
    const { pollingTimeout, known, log } = this.#options;
    const limit = new Limit(stopped, pollingTimeout);
    const startedAt = Date.now();
    let reply: HttpReply;
    this.#asking = stopped;
    try {
      const url = receiveUrl(this.#login, 'wait', known);
      reply = await this.#platform.request({ method: 'GET', url, signal: limit.signal });
    } catch (error) {
      if (stopped.aborted || this.#finishing) return 0;
      if (!limit.expired) return this.#failed(`The hanging GET failed: ${describe(error)}`, true);
      log.debug('The hanging GET timed out; polling again.');
      if (Date.now() - startedAt > pollingTimeout + kSleepMin) this.#login.troubled = true;
      return this.#doubt(stopped);
    } finally {
      limit.release();
      if (this.#asking === stopped) this.#asking = null;
    }
    if (stopped.aborted) return 0;
    if (isGone(reply.status, this.#login)) {
      this.stop();
      this.#listener.handleGone(reply.status === 404, reply.text.trim());
      return 0;
    }
    if (reply.status !== 200) {
      if (this.#finishing) return 0;
      return this.#failed(`The gateway answered the hanging GET with status ${reply.status}.`, false);
    }
    const pause = this.#listener.handleReply(reply);
    return reply.text === '' && Date.now() - startedAt < kEmptyReplyMin ? Math.max(pause, kEmptyReplyMin) : pause;
  }

  /** Our own gateway says "nothing yet" in good time: if it did not, the connection may have died without a word. */
  async #doubt(stopped: AbortSignal): Promise<number> {
    const { gateway, features } = this.#login;
    if (!features.has('ack') || (await isReachable(this.#platform, gateway, stopped))) return 0;
    return this.#failed('The gateway does not answer.', true);
  }

  #failed(status: string, unreachable: boolean): number {
    this.#options.log.error(status);
    this.#listener.handleFailure(status, unreachable);
    return kRetryDelay;
  }
}

/**
 * Any success but 200 means "you are out" (signalling, section 2); with our own gateway that is 410 if it was on purpose, and 404 if
 * it knows nothing of us.
 */
function isGone(status: number, login: Login): boolean {
  return (status > 200 && status < 300) || ((status === 404 || status === 410) && login.features.has('resume'));
}
