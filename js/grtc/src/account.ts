// Who is signed in, and what the page hears of it.
//
//     SignedOut ── signIn() ──> SigningIn ── done ──> SignedIn ── the session is in doubt ──> Recovering
//         ▲                         │                    │  ▲                                     │
//         └──── failed, refused ────┴───── signOut() ────┘  └────── signed in again by itself ────┘

import type { ClientEvents } from './clientevents.js';
import { describe, GrtcError, INVALID_STATE_ERROR } from './errors.js';
import type { EventHook } from './events.js';
import type { Logger } from './log.js';
import type { Identity } from './login.js';
import { Refusal } from './signin.js';
import type { Transport } from './transport.js';

export type Phase = 'signedOut' | 'signingIn' | 'signedIn' | 'recovering';

export interface AccountOptions {
  readonly transport: () => Transport;
  readonly events: ClientEvents;
  readonly log: Logger;
  readonly handlePhase: (phase: Phase) => void;
  /** The sign-in that carried the call is over, and so is the call. */
  readonly endEverything: () => void;
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class Account {
  readonly #options: AccountOptions;
  #phase: Phase = 'signedOut';
  #attempt = 0;
  #waiters: Waiter[] = [];
  #failure: unknown = null; // of the last sign-in
  #farewell: (() => void) | null = null; // tells the page of a sign-out, once; at the latest before the next sign-in

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether there is something that disconnect() could end. */
  get isConnected(): boolean {
    return this.#phase === 'signedIn' || this.#phase === 'recovering';
  }

  /** Signs in, after signing out if need be. `done` fires if it works, onFailed if not; neither if another sign-in or a
   *  sign-out comes in between. */
  async signIn(identity: Identity, done: EventHook<{ message: string }>): Promise<void> {
    const { log, events, endEverything } = this.#options;
    const transport = this.#options.transport();
    this.#farewell?.();
    const attempt = (this.#attempt += 1);
    this.#go('signingIn');
    endEverything();
    if (attempt !== this.#attempt) return; // the page has heard of a call's end, and signs in itself
    try {
      await transport.signIn(identity);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#go('signedOut');
      this.#failure = error;
      this.#settleWaiters(error);
      const failure = describeFailure(error);
      log.error(`Sign-in failed: ${failure.message}`);
      events.onFailed.fire(failure);
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#go('signedIn');
    log.notice(`Signed in as ${identity.id}.`);
    transport.startReceiving();
    this.#settleWaiters(null);
    done.fire({ message: `Signed in as ${identity.id}.` });
  }

  /** Throws INVALID_STATE_ERROR if not signed in. */
  async signOut(): Promise<void> {
    if (!this.isConnected) throw new GrtcError(INVALID_STATE_ERROR, 'The client is not connected.');
    this.#attempt += 1;
    this.#go('signedOut');
    this.#settleWaiters(notSignedIn());
    const farewell = (): void => {
      if (this.#farewell !== farewell) return;
      this.#farewell = null;
      this.#options.events.onDisconnect.fire({ message: 'Signed out.' });
    };
    this.#farewell = farewell;
    const signedOut = this.#options.transport().signOut(); // implies BYE
    this.#options.endEverything();
    await signedOut;
    farewell();
  }

  /** Resolves once signed in; rejects if that fails. */
  whenSignedIn(): Promise<void> {
    if (this.#phase === 'signedIn') return Promise.resolve();
    if (this.#phase === 'signedOut') return Promise.reject(this.#failure ?? notSignedIn());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** The gateway has ended the session; `refusal` says why it does not take us back. */
  handleSignedOut(reason: string, refusal: Refusal | null): void {
    const { log, events, endEverything } = this.#options;
    const attempt = (this.#attempt += 1);
    this.#go('signedOut');
    this.#settleWaiters(notSignedIn());
    log.notice(reason);
    endEverything();
    if (refusal !== null) events.onFailed.fire(describeFailure(refusal));
    if (attempt === this.#attempt) events.onDisconnect.fire({ message: reason });
  }

  handleRecovering(): void {
    this.#go('recovering');
  }

  handleRecovered(resumed: boolean): void {
    this.#go('signedIn');
    this.#settleWaiters(null);
    const message = resumed ? 'The session goes on.' : 'Signed in again, with a new session.';
    this.#options.log.notice(message);
    this.#options.events.onReconnect.fire({ message, resumed });
  }

  #go(phase: Phase): void {
    this.#failure = null;
    this.#phase = phase;
    this.#options.handlePhase(phase);
  }

  #settleWaiters(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error === null) resolve();
      else reject(error);
    }
  }
}

export function notSignedIn(): GrtcError {
  return new GrtcError(INVALID_STATE_ERROR, 'The client is not signed in; call connect() or register() first.');
}

/** What onFailed says. The gateway's sentence on a refused REGISTER ends in the SIP status: "... (403 Forbidden)". */
function describeFailure(error: unknown): { message: string; status?: number; sipStatus?: number } {
  if (!(error instanceof GrtcError)) return { message: describe(error) };
  if (!(error instanceof Refusal)) return { message: error.message };
  const sipStatus = Number(/\(([1-6][0-9]{2}) [^()]*\)$/.exec(error.message)?.[1] ?? 0);
  return { message: error.message, status: error.status, ...(sipStatus > 0 ? { sipStatus } : {}) };
}
