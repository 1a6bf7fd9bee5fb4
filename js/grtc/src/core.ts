// The inside of a client, shared by `Client` and its sessions: who is signed in, the one call that a client can have,
// the call that waits to be accepted, and what each message from the gateway leads to.

import { Account, notSignedIn } from './account.js';
import { Call, type CallListener, type CallOptions } from './call.js';
import { explain, type ClientEvents, type FailureDetails } from './clientevents.js';
import { gatewaysOf, iceServersOf, type Configuration } from './configuration.js';
import type { MediaConstraint, WantedMedia } from './constraints.js';
import { EarlyAnswer } from './early.js';
import { EndedCalls } from './ended.js';
import { describe, GRTC_ERROR, GrtcError, INVALID_STATE_ERROR } from './errors.js';
import { isSameOffer, type IncomingCall } from './incoming.js';
import { LocalMedia, stopTracks } from './localmedia.js';
import type { Logger } from './log.js';
import { PeerLink } from './peerlink.js';
import type { Platform } from './platform/platform.js';
import type { RoapError, RoapOffer } from './roap.js';
import type { Candidate } from './sdp.js';
import { Transport } from './transport.js';
import { readMessage, type GatewayMessage, type ProgressInfo } from './wire.js';

/** What the core needs of a session. */
export interface SessionHandle {
  acceptCall(): void;
  /** How the call's setup or its transfer goes on. */
  handleProgress(progress: ProgressInfo): void;
}

/** What the page has set on the client, read when it is needed. */
export interface ClientSettings {
  offerMedia: WantedMedia;
  answerMedia: WantedMedia;
  /** The page has said what to offer, so that holds for offers that the gateway asks for within a call too. */
  offerMediaChosen: boolean;
  /** The page has said what to answer offers with, so that holds for offers within a call too. */
  answerMediaChosen: boolean;
  videoBandwidth: number;
  renewsConnection: boolean;
}

export interface CoreOptions {
  readonly platform: Platform;
  readonly configuration: Configuration;
  readonly log: Logger;
  readonly events: ClientEvents;
  readonly filterCandidates: (candidates: Candidate[]) => Candidate[];
}

/** The end of a call follows its reason at once; milliseconds. */
const kSameMoment = 2000;
const kLost = 'The gateway has lost the call.';

interface ActiveCall {
  readonly call: Call;
  readonly session: SessionHandle;
  /** The gateway's session that carried it is gone: nothing can be said of it any more. */
  isOrphan: boolean;
}

export class ClientCore {
  readonly media: LocalMedia;
  readonly settings: ClientSettings = {
    offerMedia: { audio: true, video: true },
    answerMedia: { audio: true, video: true },
    offerMediaChosen: false,
    answerMediaChosen: false,
    videoBandwidth: 500,
    renewsConnection: true,
  };
  readonly #options: CoreOptions;
  readonly account: Account;
  readonly #transport: Transport;
  readonly #ended = new EndedCalls();
  #active: ActiveCall | null = null;
  #incoming: IncomingCall | null = null;
  #latestSession: SessionHandle | null = null;
  #lastSessionId = 0;
  #nextCall = new AbortController(); // aborted when a new call begins: the gateway ends the one before by itself
  #left = ''; // whose call we ended last: a new one there, without the BYE, would be taken for a change of it
  #unwatch: (() => void)[] = [];
  #failure: { details: FailureDetails; at: number } | null = null; // what the gateway complained about last

  constructor(options: CoreOptions) {
    this.#options = options;
    this.media = new LocalMedia(options.platform);
    const { events, log, platform, configuration } = options;
    this.account = new Account({
      transport: () => this.#transport,
      events,
      log,
      handlePhase: (phase) => this.#watchDevice(phase !== 'signedOut'),
      endEverything: () => this.#endEverything(),
    });
    this.#transport = new Transport(platform, {
      gateways: gatewaysOf(configuration),
      pollingTimeout: configuration.polling_timeout,
      features: ['ack', 'progress', ...(platform.takesProvisionalAnswers ? ['provisional'] : []), 'websocket'],
      log,
      listener: {
        handleMessage: (body, peer) => this.#handle(readMessage(body, peer)),
        handleConnectionError: (status) => void events.onConnectionError.fire({ status }),
        handleSignedOut: (reason, refusal) => this.account.handleSignedOut(reason, refusal),
        handleFailover: (message) => void events.onFailed.fire({ message }),
        isNeeded: () => this.#active?.call.isConnected ?? false,
        handleRecovering: () => this.account.handleRecovering(),
        handleRecovered: (resumed) => this.#handleRecovered(resumed),
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

  get incoming(): IncomingCall | null {
    return this.#incoming;
  }

  /** Whether the gateway has an extension of ours. */
  hasFeature(name: string): boolean {
    return this.#transport.hasFeature(name);
  }

  // ---- The connection to the gateway

  /** Only while there is something to repair: the browser keeps whoever listens. */
  #watchDevice(watch: boolean): void {
    if (watch === (this.#unwatch.length > 0)) return;
    for (const end of this.#unwatch) end();
    this.#unwatch = watch
      ? [
          this.platform.onNetworkChange(() => this.#handleNetworkChange()),
          this.platform.onPageEnd(() => void this.#transport.signOut()), // or the far end would wait for the session's end
        ]
      : [];
  }

  #handleNetworkChange(): void {
    this.log.notice('The network has changed.');
    this.#transport.handleNetworkChange();
    if (this.#active?.isOrphan === false) this.#active.call.handleNetworkChange();
  }

  /** A new session knows nothing of the old one's call. What still talks goes on as long as it can. */
  #handleRecovered(resumed: boolean): void {
    const active = this.#active;
    if (!resumed && active?.call.isConnected === true) {
      active.isOrphan = true;
    } else if (!resumed && active?.call.isKnown !== false) {
      this.#failure = { details: { error: 'FAILED', reason: kLost }, at: Date.now() };
      this.#endEverything();
    }
    this.account.handleRecovered(resumed);
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

  /** Our id of the next call. */
  newSessionId(): number {
    this.#lastSessionId += 1;
    return this.#lastSessionId;
  }

  /** A new call of this session. Throws INVALID_STATE_ERROR where there cannot be one. */
  openCall(session: SessionHandle, listener: CallListener, options: CallOptions): Call {
    if (this.account.phase === 'signedOut') throw notSignedIn();
    if (this.#active !== null) {
      throw new GrtcError(INVALID_STATE_ERROR, `There is a call with ${this.#active.call.peer} already; end it first.`);
    }
    if (!this.platform.isWebrtcSupported()) this.log.error('This browser does not support WebRTC.');
    if (options.peer !== this.#left) this.#nextCall.abort();
    this.#nextCall = new AbortController();
    this.#failure = null;
    const call = new Call(this.#environment(), listener, options);
    this.#active = { call, session, isOrphan: false };
    return call;
  }

  /** Ends the call, if it is the one under way, without an event. */
  closeCall(call: Call, sendBye: boolean): void {
    const isOrphan = this.#active?.call === call && this.#active.isOrphan;
    if (this.#active?.call === call) this.#active = null;
    call.close(sendBye && !isOrphan, this.#nextCall.signal);
  }

  /** The waiting call, which is no longer waiting. Throws INVALID_STATE_ERROR if there is none. */
  takeIncoming(): IncomingCall {
    const incoming = this.#incoming;
    if (incoming === null) throw new GrtcError(INVALID_STATE_ERROR, 'There is no incoming call.');
    this.#incoming = null;
    return incoming;
  }

  rejectIncoming(): void {
    const { peer, early } = this.takeIncoming();
    early?.close();
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
    const reason = error instanceof GrtcError ? error.message : describe(error);
    this.events.onPeerClosing.fire({ peer: call.peer, error: 'FAILED', reason });
  }

  /** ICE of this call is broken. The page and the call repair it, unless the gateway no longer knows the call. */
  handleIceDisconnected(call: Call, status: string): void {
    if (this.#active?.call === call && this.#active.isOrphan) {
      this.failCall(call, new GrtcError(GRTC_ERROR, kLost));
      return;
    }
    this.events.onIceDisconnected.fire({ status });
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
      makeLink: () => this.#makeLink(),
      noanswerTimeout: configuration.noanswer_timeout,
      renewsConnection: () => this.settings.renewsConnection,
      wantedForReanswer: () => (this.settings.answerMediaChosen ? this.settings.answerMedia : null),
      whenSignedIn: () => this.account.whenSignedIn(),
      post: (peer, body, retryUntil) => this.#post(peer, body, retryUntil),
    };
  }

  #makeLink(): PeerLink {
    const { configuration, platform, log, filterCandidates } = this.#options;
    return new PeerLink(platform, {
      rtc: { iceServers: iceServersOf(configuration) },
      iceTimeout: configuration.ice_timeout,
      videoBandwidth: () => this.settings.videoBandwidth,
      filterCandidates,
      onCandidateError: (error) => log.notice('A candidate was refused by the browser.', error),
    });
  }

  #post(peer: string, body: string, retryUntil?: AbortSignal): void {
    const to = peer === 'self' ? (this.#transport.token ?? peer) : peer; // signalling, section 3: own id is loopback
    const onRefused = (why: string): void => this.#handleRefused(peer, body, why);
    const arrived = this.#transport.post(to, body, { onRefused, ...(retryUntil === undefined ? {} : { retryUntil }) });
    if (body !== 'BYE') return;
    this.#left = peer;
    this.#ended.add(peer, arrived);
  }

  /** Without this message of it a call cannot be set up; a change of it is dropped. */
  #handleRefused(peer: string, body: string, why: string): void {
    const call = this.#active?.call;
    if (call?.peer !== peer || !body.startsWith('RSMP ')) return;
    if (call.state !== 'Reoffering') this.failCall(call, new GrtcError(GRTC_ERROR, why));
    else call.handleError({ messageType: 'ERROR', errorType: 'FAILED', sipStatus: null, reason: why, seq: null });
  }

  // ---- Messages from the gateway

  #handle(message: GatewayMessage): void {
    const { events, log } = this;
    if (this.#ended.concerns(message, { active: this.#active?.call ?? null, incoming: this.#incoming })) {
      log.info(`The gateway spoke of a call that has ended (${message.kind}).`);
      return;
    }
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
        this.#active?.session.handleProgress(message.progress);
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
    const failure = this.#takeFailure(active?.call ?? null);
    this.#active = null;
    this.#incoming?.early?.close();
    this.#incoming = null;
    active?.call.close(false);
    this.log.notice(`The call with ${peer} has ended.`);
    this.events.onPeerClosing.fire({ peer, ...failure });
  }

  /** Why a call ends. What a change within it came to, a while ago, is no reason. */
  #takeFailure(call: Call | null): FailureDetails {
    const failure = this.#failure;
    this.#failure = null;
    if (failure === null) return {};
    return call?.isSetUp !== true || Date.now() - failure.at < kSameMoment ? failure.details : {};
  }

  #handleOffer(peer: string, offer: RoapOffer): void {
    if (this.#active !== null) {
      this.#active.call.handleOffer(offer);
      return;
    }
    if (isSameOffer(this.#incoming?.offer ?? null, offer)) return;
    this.#incoming?.early?.close();
    const sessionId = this.newSessionId();
    const incoming: IncomingCall = { peer, offer, attached: offer.attached, sessionId, early: null };
    this.#incoming = incoming;
    this.#failure = null;
    this.log.notice(`Incoming call from ${peer}.`);
    this.events.onIncomingCall.fire({ peer });
    if (this.#incoming === incoming) incoming.early = this.#answerEarly(peer, offer, sessionId);
  }

  /** While it rings. Needs a gateway and a browser that understand provisional answers. */
  #answerEarly(peer: string, offer: RoapOffer, sessionId: number): EarlyAnswer | null {
    const { platform } = this;
    if (!platform.takesProvisionalAnswers || !this.hasFeature('provisional')) return null;
    return new EarlyAnswer(this.#makeLink(), {
      platform,
      offer,
      sessionId,
      wanted: this.settings.answerMedia,
      post: (body) => this.#post(peer, body, this.#nextCall.signal),
      onFailure: (error) => this.log.notice('No provisional answer was possible.', error),
    });
  }

  /** The page is to make the offer: at once within a call, else when the user accepts. */
  #handleInvite(peer: string, attached: unknown): void {
    if (this.#active !== null) {
      this.#active.call.change(this.settings.offerMediaChosen ? this.settings.offerMedia : {});
      return;
    }
    const incoming: IncomingCall = { peer, offer: null, attached, sessionId: this.newSessionId(), early: null };
    this.#incoming?.early?.close();
    this.#incoming = incoming;
    this.#failure = null;
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
    const details = {
      error: errorType,
      ...(sipStatus === null ? {} : { sipStatus }),
      ...(reason === '' ? {} : { reason }),
    };
    this.#failure = { details, at: Date.now() };
    this.events.onGatewayError.fire({ ...details, message: explain(details) });
    this.#active?.call.handleError({ messageType: 'ERROR', errorType, sipStatus, reason, seq });
  }
}

/** A page's arguments over what the client has as default. */
export function wantedMedia(
  audio: MediaConstraint | undefined,
  video: MediaConstraint | undefined,
  fallback: WantedMedia,
): WantedMedia {
  return { audio: audio ?? fallback.audio, video: video ?? fallback.video };
}
