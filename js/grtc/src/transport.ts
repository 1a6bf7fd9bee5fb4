// The signalling of a client: signs in, receives, sends, signs out, and stays signed in when the network or a gateway
// goes (signalling, sections 1, 2 and 8).
//
//     const transport = new Transport(platform, { gateways, pollingTimeout, features, listener, log });
//     await transport.signIn({ id: '1020', password: null });
//     transport.startReceiving();                                   // messages now arrive at the listener
//     transport.post('1021', 'BYE');
//     await transport.signOut();
//
// Messages to the gateway leave one after the other, in order, so that none overtakes another. The listener hears of
// each message from the gateway once. A listener's exception never stops the receiving.
//
// A gateway that has forgotten us (it was restarted, or we were away for long) and one that cannot be reached while
// there is another are signed in to anew, with the old session's id so that the session goes on where it still lives.

import { Connection, type ConnectionListener } from './connection.js';
import { delay } from './delay.js';
import { CONNECTION_ERROR, describe, GrtcError } from './errors.js';
import type { Logger } from './log.js';
import type { Identity, Login } from './login.js';
import type { PostOptions } from './outbox.js';
import type { Platform } from './platform/platform.js';
import { kRetryDelay } from './poller.js';
import { Refusal, SignIn } from './signin.js';

export interface TransportListener {
  /** One message; `peer` is whom it concerns. */
  handleMessage(body: string, peer: string | null): void;
  /** A hanging GET or a sign-in on our own failed; it will be made again. */
  handleConnectionError(status: string): void;
  /** The gateway no longer knows us: the transport is signed out. `refusal`: it does not take us back. */
  handleSignedOut(reason: string, refusal: Refusal | null): void;
  /** A gateway could not be reached; the next one is tried. */
  handleFailover(reason: string): void;
  /** Whether a call's media come from this gateway, so that another one would be of no use. */
  isNeeded(): boolean;
  /** The session is in doubt: messages wait until handleRecovered(). */
  handleRecovering(): void;
  /** Signed in again; `resumed`: the session, with its call, has gone on. */
  handleRecovered(resumed: boolean): void;
}

export interface TransportOptions {
  readonly gateways: readonly string[];
  /** Milliseconds; 0 is never. */
  readonly pollingTimeout: number;
  /** The extensions that this client understands. */
  readonly features: readonly string[];
  readonly listener: TransportListener;
  readonly log: Logger;
}

/** Failures in a row before another gateway is tried. */
const kUnreachableMax = 2;
const kRecoveryPauseMax = 60_000;

/** A series of sign-ins: `round` ends the one under way, `ended` all of it. */
interface Attempts {
  readonly ended: AbortController;
  round: AbortController;
}

export class Transport {
  readonly #platform: Platform;
  readonly #options: TransportOptions;
  readonly #signer: SignIn;
  #connection: Connection | null = null;
  #signingIn: Attempts | null = null;
  #recovery: Attempts | null = null;
  #gatewayIndex = 0;

  constructor(platform: Platform, options: TransportOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#signer = new SignIn(platform, options.log, options.features);
  }

  /** The session id that the gateway gave, or null while signed out. */
  get token(): string | null {
    return this.#connection?.login.token ?? null;
  }

  /** Whether the gateway announced an extension of ours. */
  hasFeature(name: string): boolean {
    return this.#connection?.login.features.has(name) ?? false;
  }

  /**
   * Signs in at the first gateway that can be reached, beginning with the last one used. No time limit: the gateway
   * answers when the SIP server has. Rejects with CONNECTION_ERROR, also when signOut() or another signIn() intervenes.
   */
  async signIn(identity: Identity): Promise<void> {
    const attempt = { ended: new AbortController(), round: new AbortController() };
    const signedOut = this.signOut();
    this.#signingIn = attempt;
    const { signal } = attempt.ended;
    signal.addEventListener('abort', () => attempt.round.abort());
    try {
      await signedOut;
      for (;;) {
        try {
          const login = await this.#tryGateways(identity, attempt.round.signal);
          this.#connection = this.#connect(login);
          return;
        } catch (error) {
          // The device has got another network: the request hangs on the old one.
          if (signal.aborted || !attempt.round.signal.aborted) throw error;
          attempt.round = new AbortController();
        }
      }
    } finally {
      if (this.#signingIn === attempt) this.#signingIn = null;
    }
  }

  /** Begins to ask for messages, after a sign-in. */
  startReceiving(): void {
    this.#connection?.start();
  }

  /** The device has got another network: what hangs on the old one begins anew. */
  handleNetworkChange(): void {
    this.#signingIn?.round.abort();
    this.#recovery?.round.abort();
    if (this.#recovery !== null || this.#connection === null) return;
    this.#connection.login.troubled = true; // we may have been away for long
    this.#connection.start();
  }

  /** Signs out and stops receiving at once; resolves when the gateway has heard of it or seems unreachable. */
  async signOut(): Promise<void> {
    this.#signingIn?.ended.abort();
    this.#signingIn = null;
    this.#endRecovery();
    const connection = this.#connection;
    if (connection === null) return;
    this.#drop(connection);
    const told = this.#signer.signOut(connection.login);
    if (!connection.login.troubled) await told;
  }

  /** Sends one message, after those sent before it. Resolves to whether it arrived. */
  post(peer: string, body: string, options: PostOptions = {}): Promise<boolean> {
    return this.#connection?.post(peer, body, options) ?? Promise.resolve(false);
  }

  #connect(login: Login): Connection {
    const { listener, features, pollingTimeout, log } = this.#options;
    const handlers: ConnectionListener = {
      handleMessage: (body, peer) => listener.handleMessage(body, peer),
      handleConnectionError: (status) => listener.handleConnectionError(status),
      handleUnreachable: (times) => this.#handleUnreachable(connection, times),
      handleGone: (forgotten, reason) => this.#handleGone(connection, forgotten, reason),
    };
    const connection = new Connection(this.#platform, login, { known: features, pollingTimeout, log }, handlers);
    return connection;
  }

  #drop(connection: Connection): void {
    connection.stop();
    connection.login.over.abort();
    if (this.#connection === connection) this.#connection = null;
  }

  async #tryGateways(identity: Identity, signal: AbortSignal, lost: Login | null = null): Promise<Login> {
    const { gateways, listener } = this.#options;
    let failure = 'No gateway could be reached.';
    for (let tried = 0; tried < gateways.length && !signal.aborted; tried += 1) {
      const gateway = gateways[this.#gatewayIndex % gateways.length] ?? '';
      const resume = lost?.gateway === gateway && lost.features.has('resume') ? lost.token : null;
      const outcome = await this.#signer.try(gateway, identity, { resume, hasOthers: gateways.length > 1, signal });
      if (typeof outcome !== 'string') return outcome;
      failure = outcome;
      this.#gatewayIndex = (this.#gatewayIndex + 1) % gateways.length;
      if (tried + 1 < gateways.length && lost === null) listener.handleFailover(failure);
    }
    throw new GrtcError(CONNECTION_ERROR, failure);
  }

  #handleGone(connection: Connection, forgotten: boolean, reason: string): void {
    if (connection !== this.#connection) return;
    if (forgotten) {
      void this.#recover(connection);
      return;
    }
    this.#drop(connection);
    const why = reason === '' ? '' : `: ${reason}`;
    this.#options.listener.handleSignedOut(`The gateway has ended the session${why}.`, null);
  }

  #handleUnreachable(connection: Connection, times: number): void {
    const { gateways, listener } = this.#options;
    if (connection !== this.#connection || this.#recovery !== null) return;
    if (gateways.length < 2 || times < kUnreachableMax || listener.isNeeded()) return;
    this.#gatewayIndex = (this.#gatewayIndex + 1) % gateways.length;
    listener.handleFailover(`The gateway ${connection.login.gateway} cannot be reached any more.`);
    if (connection === this.#connection) void this.#recover(connection);
  }

  /** Signs in again, until it works or is refused. */
  async #recover(connection: Connection): Promise<void> {
    const { listener, log } = this.#options;
    const { login } = connection;
    connection.stop();
    const recovery = { ended: new AbortController(), round: new AbortController() };
    this.#recovery = recovery;
    const { signal } = recovery.ended;
    signal.addEventListener('abort', () => recovery.round.abort());
    log.notice('The session at the gateway is in doubt; signing in again.');
    listener.handleRecovering();
    for (let pause = kRetryDelay; !signal.aborted; pause = Math.min(kRecoveryPauseMax, pause * 2)) {
      const round = new AbortController();
      recovery.round = round;
      try {
        const found = await this.#tryGateways(login.identity, round.signal, login);
        this.#finishRecovery(connection, found);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (round.signal.aborted) continue; // another network: at once
        if (error instanceof Refusal && error.status < 500) {
          this.#giveUp(connection, error);
          return;
        }
        listener.handleConnectionError(error instanceof GrtcError ? error.message : describe(error));
      }
      await delay(pause, round.signal);
    }
  }

  #finishRecovery(connection: Connection, found: Login): void {
    this.#endRecovery();
    const resumed = found.gateway === connection.login.gateway && found.token === connection.login.token;
    if (resumed) {
      connection.login.troubled = false;
    } else {
      this.#drop(connection);
      this.#connection = this.#connect(found);
      // It may still live there, and ring there, if only we could not reach it.
      if (found.gateway !== connection.login.gateway) void this.#signer.signOut(connection.login);
    }
    this.#connection?.start();
    this.#options.listener.handleRecovered(resumed);
  }

  #giveUp(connection: Connection, refusal: Refusal): void {
    this.#endRecovery();
    this.#drop(connection);
    this.#options.listener.handleSignedOut('The gateway does not sign us in again.', refusal);
  }

  #endRecovery(): void {
    this.#recovery?.ended.abort();
    this.#recovery = null;
  }
}
