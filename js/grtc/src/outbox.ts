// Messages to the gateway: one after the other, in order, each with its number, over the WebSocket if there is one.
//
// A message that must arrive is sent again every 3 s, identical, until it has (signalling, section 3). The number tells
// the gateway that it has had a message whose confirmation was lost. One that the gateway will never take, because it is too
// long, does not hold up the others.

import { delay, Limit } from './delay.js';
import type { Logger } from './log.js';
import { queryValue, type Login } from './login.js';
import type { Platform } from './platform/platform.js';
import { kRetryDelay } from './poller.js';

export interface PostOptions {
  /** Send it again until it has arrived, or until this signal is aborted. */
  readonly retryUntil?: AbortSignal;
  /** The gateway takes no such message, and it would be of no use to send it again. */
  readonly onRefused?: (why: string) => void;
}

/** What the outbox needs of a WebSocket. */
export interface NumberedChannel {
  readonly isOpen: boolean;
  send(number: number, peer: string, body: string): Promise<boolean>;
}

const kPostTimeout = 15000;
/** Of the message, not of the moment: ill-formed, too long, its address or its headers too long. */
const kFinal: readonly number[] = [400, 413, 414, 431];

export class Outbox {
  readonly #platform: Platform;
  readonly #login: Login;
  readonly #log: Logger;
  readonly #channel: () => NumberedChannel | null;
  #last: Promise<unknown> = Promise.resolve();

  /** `channel` is asked for each attempt. */
  constructor(platform: Platform, login: Login, log: Logger, channel: () => NumberedChannel | null) {
    this.#platform = platform;
    this.#login = login;
    this.#log = log;
    this.#channel = channel;
  }

  /** Sends one message, after those sent before it. Resolves to whether it arrived. */
  post(peer: string, body: string, options: PostOptions = {}): Promise<boolean> {
    const sent = this.#last.then(() => this.#deliver(peer, body, options));
    this.#last = sent.catch((error: unknown) => this.#log.error('A message could not be sent.', error));
    return sent;
  }

  async #deliver(peer: string, body: string, { retryUntil, onRefused }: PostOptions): Promise<boolean> {
    const login = this.#login;
    const number = (login.lastSent += 1);
    // What a gateway without numbers would take twice is not sent again there; what is soon out of date, nowhere.
    const mayRepeat = login.features.has('ack') && !body.startsWith('GET-STATS');
    const until = retryUntil ?? (mayRepeat ? login.over.signal : undefined);
    this.#log.debug(`To the gateway (${peer}): ${body}`);
    while (!login.over.signal.aborted) {
      // Pages hang up when they are closed: only a request survives that.
      const channel = body === 'BYE' ? null : this.#channel();
      if (channel?.isOpen === true) {
        if (await channel.send(number, peer, body)) return true;
        continue; // it is closed now
      }
      const status = await this.#postOnce(number, peer, body);
      if (status >= 200 && status < 300) return true;
      if (kFinal.includes(status)) {
        onRefused?.(`The gateway does not take the message (status ${status}).`);
        return false;
      }
      if (until === undefined || !(await delay(kRetryDelay, until))) return false;
    }
    return false;
  }

  /** The status of the reply, 0 without one. */
  async #postOnce(number: number, peer: string, body: string): Promise<number> {
    const { gateway, token, features, over } = this.#login;
    const count = features.has('ack') ? `&n=${number}` : '';
    const url = `${gateway}/message?from=${token}&to=${queryValue(peer)}${count}`;
    const limit = new Limit(over.signal, kPostTimeout);
    let status = 0;
    let failure: unknown;
    try {
      const request = { method: 'POST', url, body, keepalive: body === 'BYE', signal: limit.signal } as const;
      const reply = await this.#platform.request(request);
      ({ status } = reply);
      if (status >= 200 && status < 300) return status;
      failure = new Error(`status ${status} ${reply.text.trim()}`);
    } catch (error) {
      failure = error;
    } finally {
      limit.release();
    }
    this.#log.notice(`A message did not reach the gateway (${body.slice(0, 12)}...).`, failure);
    return status;
  }
}
