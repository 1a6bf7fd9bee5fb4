// The inside of a client, shared by `Client` and its sessions: who is signed in, the one call that a client can have,
// the call that waits to be accepted, and what each message from the gateway leads to.

import { Call, type CallListener, type CallOptions } from './call.js';
import { gatewaysOf, iceServersOf, type Configuration } from './configuration.js';
import type { MediaConstraint, WantedMedia } from './constraints.js';
import { describe, GrtcError, INVALID_STATE_ERROR } from './errors.js';
import type { ClientEvents } from './clientevents.js';
import type { EventHook } from './events.js';
import { LocalMedia, stopTracks } from './localmedia.js';
import type { Logger } from './log.js';
import type { Platform } from './platform/platform.js';
import type { RoapError, RoapOffer } from './roap.js';
import type { Candidate } from './sdp.js';
import { Transport, type Identity } from './transport.js';
import { readMessage, type GatewayMessage } from './wire.js';

/** A call that came in and waits for the page. Without an offer (INVITE) it is accepted by making one. */
export interface IncomingCall {
  readonly peer: string;
  readonly offer: RoapOffer | null;
  readonly attached: unknown;
}

/** What the core needs of a session. */
export interface SessionHandle {
  acceptCall(): void;
}

/** What the page has set on the client, read when it is needed. */
export interface ClientSettings {
  offerMedia: WantedMedia;
  answerMedia: WantedMedia;
  /** The page has said what to answer offers with, so that holds for offers within a call too. */
  answerMediaChosen: boolean;
  videoBandwidth: number;
  renewsConnection: boolean;
}

export type Phase = 'signedOut' | 'signingIn' | 'signedIn';

export interface CoreOptions {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly log: Logger;
  readonly events: ClientEvents;
  readonly filterCandidates: (candidates: Candidate[]) => Candidate[];
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class ClientCore {
  readonly media: LocalMedia;
  readonly settings: ClientSettings = {
    offerMedia: { audio: true, video: true },
    answerMedia: { audio: true, video: true },
    answerMediaChosen: false,
    videoBandwidth: 500,
    renewsConnection: true,
  };
  readonly #options: CoreOptions;
  readonly #transport: Transport;
  #phase: Phase = 'signedOut';
  #attempt = 0;
  #waiters: Waiter[] = [];
  #active: { call: Call; session: SessionHandle } | null = null;
  #incoming: IncomingCall | null = null;
  #latestSession: SessionHandle | null = null;
  #lastSessionId = 0;
  #nextCall = new AbortController(); // aborted when a new call begins: a late BYE must not end that one

  constructor(options: CoreOptions) {
    this.#options = options;
    this.media = new LocalMedia(options.platform);
    this.#transport = new Transport(options.platform, {
      gateways: gatewaysOf(options.configuration),
      pollingTimeout: options.configuration.polling_timeout,
      log: options.log,
      listener: {
        handleMessage: (body, peer) => this.#handle(readMessage(body, peer)),
        handleConnectionError: (status) => void this.events.onConnectionError.fire({ status }),
        handleSignedOut: (reason) => this.#handleSignedOut(reason),
        handleFailover: (message) => void this.events.onFailed.fire({ message }),
      },
    });
  }

  get platform(): Platform {
    return this.#options.platform;
  }

  get log(): Logger {
    return this.#options.log;
  }

  get events(): ClientEvents {
    return this.#options.events;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get incoming(): IncomingCall | null {
    return this.#incoming;
  }

  // ---- Signing in and out

  /** Signs in, after signing out if need be. `done` fires if it works, onFailed if not; neither if another sign-in or a
   *  sign-out comes in between. */
  async signIn(identity: Identity, done: EventHook<{ message: string }>): Promise<void> {
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#phase = 'signingIn';
    this.#endEverything();
    try {
      await this.#transport.signIn(identity);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this.#phase = 'signedOut';
      this.#settleWaiters(error);
      const message = describeFailure(error);
      this.log.error(`Sign-in failed: ${message}`);
      this.events.onFailed.fire({ message });
      return;
    }
    if (attempt !== this.#attempt) return;
    this.#phase = 'signedIn';
    this.log.notice(`Signed in as ${identity.id}.`);
    this.#transport.startPolling();
    this.#settleWaiters(null);
    done.fire({ message: `Signed in as ${identity.id}.` });
  }

  async signOut(): Promise<void> {
    if (this.#phase !== 'signedIn') throw new GrtcError(INVALID_STATE_ERROR, 'The client is not connected.');
    this.#attempt += 1;
    const attempt = this.#attempt;
    this.#phase = 'signedOut';
    const signedOut = this.#transport.signOut(); // implies BYE
    this.#endEverything();
    await signedOut;
    if (attempt === this.#attempt) this.events.onDisconnect.fire({ message: 'Signed out.' });
  }

  #whenSignedIn(): Promise<void> {
    if (this.#phase === 'signedIn') return Promise.resolve();
    if (this.#phase === 'signedOut') return Promise.reject(notSignedIn());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #settleWaiters(error: unknown): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { resolve, reject } of waiters) {
      if (error === null) resolve();
      else reject(error);
    }
  }

  #handleSignedOut(reason: string): void {
    this.#attempt += 1;
    this.#phase = 'signedOut';
    this.log.notice(reason);
    this.#endEverything();
    this.events.onDisconnect.fire({ message: reason });
  }

  /** The sign-in that carried the call is over, and so is the call. */
  #endEverything(): void {
    if (this.#active !== null || this.#incoming !== null) this.#handleBye();
  }

  // ---- Sessions and their calls

  register(session: SessionHandle): void {
    this.#latestSession = session;
  }

  callOf(session: SessionHandle): Call | null {
    return this.#active?.session === session ? this.#active.call : null;
  }

  /** A new call of this session. Throws INVALID_STATE_ERROR where there cannot be one. */
  openCall(session: SessionHandle, listener: CallListener, options: Omit<CallOptions, 'sessionId'>): Call {
    if (this.#phase === 'signedOut') throw notSignedIn();
    if (this.#active !== null) {
      throw new GrtcError(INVALID_STATE_ERROR, `There is a call with ${this.#active.call.peer} already; end it first.`);
    }
    if (!this.platform.isWebrtcSupported()) this.log.error('This browser does not support WebRTC.');
    this.#nextCall.abort();
    this.#nextCall = new AbortController();
    this.#lastSessionId += 1;
    const call = new Call(this.#environment(), listener, { ...options, sessionId: this.#lastSessionId });
    this.#active = { call, session };
    return call;
  }

  /** Ends the call, if it is the one under way, without an event. */
  closeCall(call: Call, sendBye: boolean): void {
    if (this.#active?.call === call) this.#active = null;
    call.close(sendBye, this.#nextCall.signal);
  }

  /** The waiting call, which is no longer waiting. Throws INVALID_STATE_ERROR if there is none. */
  takeIncoming(): IncomingCall {
    const incoming = this.#incoming;
    if (incoming === null) throw new GrtcError(INVALID_STATE_ERROR, 'There is no incoming call.');
    this.#incoming = null;
    return incoming;
  }

  rejectIncoming(): void {
    const { peer } = this.takeIncoming();
    this.#post(peer, 'BYE', this.#nextCall.signal);
  }

  /** A message outside the offer/answer exchange. */
  send(peer: string, body: string): void {
    this.#post(peer, body);
  }

  /** A call failed on this side. */
  failCall(call: Call, error: unknown): void {
    this.log.error('The call cannot go on.', error);
    this.closeCall(call, true);
    this.events.onPeerClosing.fire({ peer: call.peer });
  }

  /** The local source is another one now. The one before is stopped when no call sends it any more. */
  changeSource(previous: MediaStream | null): void {
    const release = (): void => {
      if (previous !== null) stopTracks(previous);
    };
    if (this.#active === null) release();
    else this.#active.call.handleSourceChange(release);
  }

  #environment(): ConstructorParameters<typeof Call>[0] {
    const { configuration, platform, log } = this.#options;
    return {
      platform,
      log,
      source: this.media,
      rtc: { iceServers: iceServersOf(configuration) },
      iceTimeout: configuration.ice_timeout,
      noanswerTimeout: configuration.noanswer_timeout,
      videoBandwidth: () => this.settings.videoBandwidth,
      filterCandidates: this.#options.filterCandidates,
      renewsConnection: () => this.settings.renewsConnection,
      wantedForReanswer: () => (this.settings.answerMediaChosen ? this.settings.answerMedia : null),
      whenSignedIn: () => this.#whenSignedIn(),
      post: (peer, body, retryUntil) => this.#post(peer, body, retryUntil),
    };
  }

  #post(peer: string, body: string, retryUntil?: AbortSignal): void {
    const to = peer === 'self' ? (this.#transport.token ?? peer) : peer; // signalling, section 3: own id is loopback
    void this.#transport.post(to, body, retryUntil === undefined ? {} : { retryUntil });
  }

  // ---- Messages from the gateway

  #handle(message: GatewayMessage): void {
    const { events, log } = this;
    switch (message.kind) {
      case 'bye':
        this.#handleBye();
        break;
      case 'invite':
        this.#handleInvite(message.peer, message.attached);
        break;
      case 'offer':
        this.#handleOffer(message.peer, message.offer);
        break;
      case 'answer':
        if (this.#active === null) log.info('An ANSWER came without a call.');
        else this.#active.call.handleAnswer(message.answer);
        break;
      case 'talk':
      case 'hold':
        this.#handleNotify(message.kind, message.peer);
        break;
      case 'info':
        events.onInfoFromPeer.fire(message.data);
        break;
      case 'stats':
        events.onStatsFromServer.fire(message.stats);
        break;
      case 'progress':
        events.onProgress.fire({ peer: this.#active?.call.peer ?? '', ...message.progress });
        break;
      case 'error':
        this.#handleError(message.error);
        break;
      case 'ok':
        log.debug('The gateway has our ANSWER.');
        break;
      case 'unknown':
        log.notice(`The gateway sent ${message.why}.`);
        break;
    }
  }

  #handleBye(): void {
    const active = this.#active;
    const peer = active?.call.peer ?? this.#incoming?.peer;
    if (peer === undefined) {
      this.log.info('A BYE came without a call.');
      return;
    }
    this.#active = null;
    this.#incoming = null;
    active?.call.close(false);
    this.log.notice(`The call with ${peer} has ended.`);
    this.events.onPeerClosing.fire({ peer });
  }

  #handleOffer(peer: string, offer: RoapOffer): void {
    if (this.#active !== null) {
      this.#active.call.handleOffer(offer);
      return;
    }
    this.#incoming = { peer, offer, attached: offer.attached };
    this.log.notice(`Incoming call from ${peer}.`);
    this.events.onIncomingCall.fire({ peer });
  }

  /** The page is to make the offer: at once within a call, else when the user accepts. */
  #handleInvite(peer: string, attached: unknown): void {
    if (this.#active !== null) {
      this.#active.call.change({});
      return;
    }
    const incoming: IncomingCall = { peer, offer: null, attached };
    this.#incoming = incoming;
    this.log.notice(`Incoming call from ${peer}, without an offer.`);
    this.events.onIncomingCall.fire({ peer });
    // The obsolete event, for pages that still rely on it; not if the call has been dealt with already.
    if (this.#incoming === incoming) this.events.onInvite.fire({ peer });
  }

  #handleNotify(event: 'talk' | 'hold', from: string): void {
    const call = this.#active?.call ?? null;
    const peer = from || (call?.peer ?? this.#incoming?.peer ?? '');
    if (call === null && (this.#incoming === null || event === 'hold')) {
      this.log.notice(`A ${event} event came without a call.`);
      return;
    }
    this.events.onNotifyEvent.fire({ peer, event });
    if (call !== null) {
      if (call.isHeldByUs !== (event === 'hold')) call.change({ held: event === 'hold' });
    } else if (this.#latestSession === null) {
      this.log.error('A talk event came, but the page has made no MediaSession to answer with.');
    } else if (this.#incoming !== null) {
      this.#latestSession.acceptCall();
    }
  }

  #handleError({ errorType, sipStatus, reason, seq }: RoapError): void {
    this.log.error(`The gateway reports ${errorType} ${sipStatus ?? ''} ${reason}`.trim());
    this.events.onGatewayError.fire({
      error: errorType,
      ...(sipStatus === null ? {} : { sipStatus }),
      ...(reason === '' ? {} : { reason }),
    });
    this.#active?.call.handleError({ messageType: 'ERROR', errorType, sipStatus, reason, seq });
  }
}

function notSignedIn(): GrtcError {
  return new GrtcError(INVALID_STATE_ERROR, 'The client is not signed in; call connect() or register() first.');
}

function describeFailure(error: unknown): string {
  return error instanceof GrtcError ? error.message : describe(error);
}

/** A page's arguments over what the client has as default. */
export function wantedMedia(
  audio: MediaConstraint | undefined,
  video: MediaConstraint | undefined,
  fallback: WantedMedia,
): WantedMedia {
  return { audio: audio ?? fallback.audio, video: video ?? fallback.video };
}
