// The HTTP side of the signalling: sign in, hanging GET, messages, sign out (signalling, sections 1, 2 and 8).
//
//     const transport = new Transport(platform, { gateways, pollingTimeout, listener, log });
//     await transport.signIn({ id: '1020', password: null });
//     transport.startPolling();                                   // messages now arrive at the listener
//     transport.post('1021', 'BYE');
//     await transport.signOut();
//
// Messages to the gateway leave one after the other, in order, so that none overtakes another. The listener hears of
// each message from the gateway once. A listener's exception never stops the polling.

import { delay, Limit } from './delay.js';
import { CONNECTION_ERROR, describe, GrtcError } from './errors.js';
import type { Logger } from './log.js';
import type { HttpReply, Platform } from './platform/platform.js';

export interface Identity {
  readonly id: string;
  readonly password: string | null;
}

export interface TransportListener {
  /** One message; `peer` is its Pragma header. */
  handleMessage(body: string, peer: string | null): void;
  /** A hanging GET failed; it will be made again. */
  handleConnectionError(status: string): void;
  /** The gateway no longer knows us: the transport is signed out. */
  handleSignedOut(reason: string): void;
  /** A gateway could not be reached at sign-in; the next one is tried. */
  handleFailover(reason: string): void;
}

export interface TransportOptions {
  readonly gateways: readonly string[];
  /** Milliseconds; 0 is never. */
  readonly pollingTimeout: number;
  readonly listener: TransportListener;
  readonly log: Logger;
}

export interface PostOptions {
  /** Send it again every 3 s until it has arrived, or until this signal is aborted. */
  readonly retryUntil?: AbortSignal;
}

const kRetryDelay = 3000;
const kPostTimeout = 15000;
const kSignOutTimeout = 3000;
/** An empty reply that comes sooner than this is no "nothing yet": do not spin. */
const kEmptyReplyMin = 200;
const kSequenceHeader = 'X-Crosspoint-Sequence';

/** What one sign-in gave. */
interface Login {
  readonly gateway: string;
  readonly token: string;
  readonly features: ReadonlySet<string>;
  /** Aborted when this login is over. */
  readonly over: AbortController;
  lastSequence: number;
  pollFails: boolean;
}

export class Transport {
  readonly #platform: Platform;
  readonly #options: TransportOptions;
  #login: Login | null = null;
  #signingIn: AbortController | null = null;
  #gatewayIndex = 0;
  #outbox: Promise<unknown> = Promise.resolve();

  constructor(platform: Platform, options: TransportOptions) {
    this.#platform = platform;
    this.#options = options;
  }

  /** The session id that the gateway gave, or null while signed out. */
  get token(): string | null {
    return this.#login?.token ?? null;
  }

  /** Whether the gateway announced an extension of ours. */
  hasFeature(name: string): boolean {
    return this.#login?.features.has(name) ?? false;
  }

  /**
   * Signs in at the first gateway that can be reached, beginning with the last one used. No time limit: the gateway
   * answers when the SIP server has. Rejects with CONNECTION_ERROR, also when signOut() or another signIn() intervenes.
   */
  async signIn(identity: Identity): Promise<void> {
    const attempt = new AbortController();
    const signedOut = this.signOut();
    this.#signingIn = attempt;
    try {
      await signedOut;
      const login = await this.#tryGateways(identity, attempt);
      this.#login = login;
    } finally {
      if (this.#signingIn === attempt) this.#signingIn = null;
    }
  }

  /** Begins to ask for messages, after a sign-in. */
  startPolling(): void {
    if (this.#login !== null) void this.#poll(this.#login);
  }

  /** Signs out and stops polling at once; resolves when the gateway has heard of it or seems unreachable. */
  async signOut(): Promise<void> {
    this.#signingIn?.abort();
    this.#signingIn = null;
    const login = this.#login;
    if (login === null) return;
    this.#login = null;
    login.over.abort();
    const told = this.#tellSignOut(login);
    if (!login.pollFails) await told;
  }

  async #tellSignOut(login: Login): Promise<void> {
    const limit = new Limit(new AbortController().signal, kSignOutTimeout);
    const url = `${login.gateway}/sign_out?id=${login.token}`;
    try {
      await this.#platform.request({ method: 'GET', url, keepalive: true, signal: limit.signal });
    } catch (error) {
      this.#options.log.notice('The gateway could not be told of the sign-out.', error);
    } finally {
      limit.release();
    }
  }

  /** Sends one message, after those sent before it. Resolves to whether it arrived. */
  post(peer: string, body: string, options: PostOptions = {}): Promise<boolean> {
    const login = this.#login;
    if (login === null) return Promise.resolve(false);
    const sent = this.#outbox.then(() => this.#deliver(login, peer, body, options));
    this.#outbox = sent;
    return sent;
  }

  async #tryGateways(identity: Identity, attempt: AbortController): Promise<Login> {
    const { gateways, listener } = this.#options;
    let failure = 'No gateway could be reached.';
    for (let tried = 0; tried < gateways.length && !attempt.signal.aborted; tried += 1) {
      const gateway = gateways[this.#gatewayIndex % gateways.length] ?? '';
      const outcome = await this.#trySignIn(gateway, identity, attempt);
      if (typeof outcome !== 'string') return outcome;
      failure = outcome;
      this.#gatewayIndex = (this.#gatewayIndex + 1) % gateways.length;
      if (tried + 1 < gateways.length) listener.handleFailover(failure);
    }
    throw new GrtcError(CONNECTION_ERROR, failure);
  }

  /** A login, or why this gateway could not be used and the next one is worth a try. Throws if the answer is "no". */
  async #trySignIn(gateway: string, { id, password }: Identity, attempt: AbortController): Promise<Login | string> {
    this.#options.log.info(`Signing in as ${id} at ${gateway}.`);
    let reply: HttpReply;
    try {
      reply = await this.#platform.request({
        signal: attempt.signal,
        ...(password === null
          ? { method: 'GET', url: `${gateway}/sign_in?${queryValue(id)}` }
          : { method: 'POST', url: `${gateway}/sign_in`, body: `${id}:${password}` }),
      });
    } catch (error) {
      if (attempt.signal.aborted) throw new GrtcError(CONNECTION_ERROR, 'The sign-in was given up.');
      return `The gateway ${gateway} cannot be reached (${describe(error)}).`;
    }
    if (attempt.signal.aborted) throw new GrtcError(CONNECTION_ERROR, 'The sign-in was given up.');
    const reason = reply.text.trim();
    if (reply.status >= 502 && reply.status <= 504 && this.#options.gateways.length > 1) {
      return `The gateway ${gateway} is not available: ${reason || reply.status}`;
    }
    if (reply.status < 200 || reply.status >= 300) {
      throw new GrtcError(CONNECTION_ERROR, reason || `The gateway refused the sign-in with status ${reply.status}.`);
    }
    return readLogin(gateway, reply.text);
  }

  async #poll(login: Login): Promise<void> {
    const { log, listener } = this.#options;
    while (!login.over.signal.aborted) {
      const startedAt = Date.now();
      const limit = new Limit(login.over.signal, this.#options.pollingTimeout);
      let failure: string | null = null;
      let pause = 0;
      try {
        const reply = await this.#platform.request({ method: 'GET', url: pollUrl(login), signal: limit.signal });
        if (login.over.signal.aborted) return;
        if (reply.status === 200) {
          login.pollFails = false;
          if (reply.text === '' && Date.now() - startedAt < kEmptyReplyMin) pause = kEmptyReplyMin;
          this.#take(login, reply);
        } else if (reply.status > 200 && reply.status < 300) {
          this.#endLogin(login, 'The gateway has ended the session.');
        } else {
          failure = `The gateway answered the hanging GET with status ${reply.status}.`;
        }
      } catch (error) {
        if (login.over.signal.aborted) return;
        if (limit.expired) log.debug('The hanging GET timed out; polling again.');
        else failure = `The hanging GET failed: ${describe(error)}`;
      } finally {
        limit.release();
      }
      if (failure !== null) {
        login.pollFails = true;
        log.error(failure);
        listener.handleConnectionError(failure);
        pause = kRetryDelay;
      }
      if (pause > 0) await delay(pause, login.over.signal);
    }
  }

  #take(login: Login, reply: HttpReply): void {
    if (reply.text === '') return;
    const sequence = Number(reply.header(kSequenceHeader) ?? Number.NaN);
    if (Number.isInteger(sequence) && login.features.has('ack')) {
      if (sequence <= login.lastSequence) {
        this.#options.log.debug(`Message ${sequence} came again; ignored.`);
        return;
      }
      login.lastSequence = sequence;
    }
    const peer = reply.header('Pragma');
    this.#options.log.debug(`From the gateway (${peer ?? 'no peer'}): ${reply.text}`);
    try {
      this.#options.listener.handleMessage(reply.text, peer);
    } catch (error) {
      this.#options.log.error('A message could not be handled.', error);
    }
  }

  #endLogin(login: Login, reason: string): void {
    login.over.abort();
    if (this.#login !== login) return;
    this.#login = null;
    this.#options.listener.handleSignedOut(reason);
  }

  async #deliver(login: Login, peer: string, body: string, { retryUntil }: PostOptions): Promise<boolean> {
    const { log } = this.#options;
    const url = `${login.gateway}/message?from=${login.token}&to=${queryValue(peer)}`;
    log.debug(`To the gateway (${peer}): ${body}`);
    while (!login.over.signal.aborted) {
      const limit = new Limit(login.over.signal, kPostTimeout);
      let failure: unknown;
      try {
        const keepalive = body === 'BYE'; // pages hang up when they are closed
        const reply = await this.#platform.request({ method: 'POST', url, body, keepalive, signal: limit.signal });
        if (reply.status >= 200 && reply.status < 300) return true;
        failure = new Error(`status ${reply.status} ${reply.text.trim()}`);
      } catch (error) {
        failure = error;
      } finally {
        limit.release();
      }
      log.notice(`A message did not reach the gateway (${body.slice(0, 12)}...).`, failure);
      if (retryUntil === undefined || !(await delay(kRetryDelay, retryUntil))) return false;
    }
    return false;
  }
}

/** Nothing in these queries has a key, and gateways decode percent signs but leave "+" alone. */
function queryValue(text: string): string {
  return encodeURI(text).replace(/[#&?]/g, encodeURIComponent);
}

function readLogin(gateway: string, text: string): Login {
  const lines = text.split(/\r?\n/);
  const first = lines[0] ?? '';
  const token = first.slice(first.indexOf('=') + 1).trim();
  if (!first.includes('=') || token === '') {
    throw new GrtcError(CONNECTION_ERROR, `What answered at ${gateway} is not a gateway.`);
  }
  const features = lines.find((line) => line.startsWith('features='))?.slice('features='.length) ?? '';
  return {
    gateway,
    token,
    features: new Set(features.split(',').map((feature) => feature.trim())),
    over: new AbortController(),
    lastSequence: 0,
    pollFails: false,
  };
}

function pollUrl(login: Login): string {
  const ack = login.features.has('ack') ? `&ack=${login.lastSequence}` : '';
  const progress = login.features.has('progress') ? '&features=progress' : '';
  return `${login.gateway}/wait?id=${login.token}${ack}${progress}`;
}
