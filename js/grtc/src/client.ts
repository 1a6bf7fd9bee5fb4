// Grtc.Client: a page's connection to the gateway (guide, "Grtc.Client").
//
//     const client = new Grtc.Client({ webrtc_gateway: 'https://gateway.example.com' });
//     client.onMediaSuccess.add(({ stream }) => client.setViewFromStream(localView, stream));
//     client.onRegister.add(() => client.enableMediaSource(true, false));
//     client.onFailed.add(({ message }) => alert(message));
//     client.register('1020');
//
// Methods check their arguments and throw Grtc.Error at once; what takes time ends in an event. A client has at most
// one call at a time, made or accepted through a Grtc.MediaSession.

import { readConfiguration, type ClientConfiguration, type Configuration } from './configuration.js';
import { createClientEvents, type ClientEvents } from './clientevents.js';
import { mediaConstraint, sourceConstraint, type MediaConstraint, type SourceConstraint } from './constraints.js';
import { ClientCore, wantedMedia } from './core.js';
import { describe, GrtcError, INVALID_STATE_ERROR, NOT_READY_ERROR, WEBRTC_NOT_SUPPORTED_ERROR } from './errors.js';
import { Logger, LOG_LEVEL_DEBUG, LOG_LEVEL_NONE, type LogLevel } from './log.js';
import type { Platform } from './platform/platform.js';
import type { Candidate } from './sdp.js';

/** For sessions, not for pages. */
export let coreOf: (client: Client) => ClientCore | null;

const kLocalViewsMuted = new WeakSet<HTMLMediaElement>();

export class Client implements ClientEvents {
  /** The configuration in use, defaults filled in. */
  readonly configuration: Configuration;
  /** Unique to this object: for pages that keep several. */
  readonly clientId: string;

  readonly onConnect: ClientEvents['onConnect'];
  readonly onDisconnect: ClientEvents['onDisconnect'];
  readonly onRegister: ClientEvents['onRegister'];
  readonly onFailed: ClientEvents['onFailed'];
  readonly onConnectionError: ClientEvents['onConnectionError'];
  readonly onGatewayError: ClientEvents['onGatewayError'];
  readonly onWebrtcError: ClientEvents['onWebrtcError'];
  readonly onIceDisconnected: ClientEvents['onIceDisconnected'];
  readonly onIncomingCall: ClientEvents['onIncomingCall'];
  readonly onInvite: ClientEvents['onInvite'];
  readonly onInfoFromPeer: ClientEvents['onInfoFromPeer'];
  readonly onMediaSuccess: ClientEvents['onMediaSuccess'];
  readonly onMediaFailure: ClientEvents['onMediaFailure'];
  readonly onNotifyEvent: ClientEvents['onNotifyEvent'];
  readonly onPeerNoanswer: ClientEvents['onPeerNoanswer'];
  readonly onPeerClosing: ClientEvents['onPeerClosing'];
  readonly onStatsFromServer: ClientEvents['onStatsFromServer'];
  readonly onProgress: ClientEvents['onProgress'];
  readonly onReconnect: ClientEvents['onReconnect'];

  readonly #platform: Platform;
  readonly #log: Logger;
  readonly #core: ClientCore;

  static {
    coreOf = (client) => (#core in client ? client.#core : null);
  }

  /** Throws CONFIGURATION_ERROR. Pages get a subclass that knows the platform. */
  constructor(configuration: ClientConfiguration, platform: Platform) {
    this.configuration = readConfiguration(configuration);
    this.#platform = platform;
    this.#log = new Logger(platform.log);
    this.clientId = hex(platform.randomBytes(16));
    const events = createClientEvents((error) => this.#log.error('A handler of the page failed.', error));
    this.onConnect = events.onConnect;
    this.onDisconnect = events.onDisconnect;
    this.onRegister = events.onRegister;
    this.onFailed = events.onFailed;
    this.onConnectionError = events.onConnectionError;
    this.onGatewayError = events.onGatewayError;
    this.onWebrtcError = events.onWebrtcError;
    this.onIceDisconnected = events.onIceDisconnected;
    this.onIncomingCall = events.onIncomingCall;
    this.onInvite = events.onInvite;
    this.onInfoFromPeer = events.onInfoFromPeer;
    this.onMediaSuccess = events.onMediaSuccess;
    this.onMediaFailure = events.onMediaFailure;
    this.onNotifyEvent = events.onNotifyEvent;
    this.onPeerNoanswer = events.onPeerNoanswer;
    this.onPeerClosing = events.onPeerClosing;
    this.onStatsFromServer = events.onStatsFromServer;
    this.onProgress = events.onProgress;
    this.onReconnect = events.onReconnect;
    this.#core = new ClientCore({
      platform,
      configuration: this.configuration,
      log: this.#log,
      events,
      filterCandidates: (candidates) => this.#filtered(candidates),
    });
    if (!this.configuration.dtls_srtp) this.#log.notice('dtls_srtp is false, but browsers use DTLS-SRTP all the same.');
  }

  /** Signs in anonymously, under a new id. Ends in onConnect or onFailed. Signs out first if signed in. */
  connect(): void {
    const id = `anon${hex(this.#platform.randomBytes(16))}`;
    void this.#core.account.signIn({ id, password: null }, this.onConnect);
  }

  /**
   * Signs in as a DN that the gateway registers at the SIP server. Ends in onRegister or onFailed. Signs out first if
   * signed in. Without a DN: `sip_username`. `sip_password` goes along unless it is another user's.
   */
  register(regDN?: string | number): void {
    const { sip_username: user, sip_password: password } = this.configuration;
    const wrong: unknown = regDN ?? '';
    if (typeof wrong !== 'string' && typeof wrong !== 'number') {
      this.#refuse('What register() was given is no DN: a DN is a string or a number.');
      return;
    }
    const id = String(wrong).trim() || user;
    if (id === '') {
      this.#refuse('No DN to register: give one to register() or set sip_username.');
      return;
    }
    const usesPassword = password !== '' && (user === '' || user === id);
    if (usesPassword && id.includes(':')) {
      this.#refuse('A DN with a colon cannot be registered with a password.'); // signalling, section 1: <id>:<password>
      return;
    }
    void this.#core.account.signIn({ id, password: usesPassword ? password : null }, this.onRegister);
  }

  /** Signs out; a call ends. Ends in onDisconnect. Throws INVALID_STATE_ERROR if not signed in. */
  disconnect(): void {
    if (!this.#core.account.isConnected) throw new GrtcError(INVALID_STATE_ERROR, 'The client is not connected.');
    void this.#core.account.signOut();
  }

  /**
   * Asks for microphone and camera. Ends in onMediaSuccess or onMediaFailure. Both default to true; constraints may be
   * those of today's browsers or of long ago (`{mandatory: {minWidth: 360}}`). Called again, the new source replaces
   * the old one, in a call too. Throws WEBRTC_NOT_SUPPORTED_ERROR.
   */
  enableMediaSource(audioConstraints?: SourceConstraint, videoConstraints?: SourceConstraint): void {
    if (!this.#platform.isWebrtcSupported()) {
      throw new GrtcError(
        WEBRTC_NOT_SUPPORTED_ERROR,
        'This browser does not support WebRTC, or the page was not loaded over https or from localhost.',
      );
    }
    const constraints = { audio: sourceConstraint(audioConstraints), video: sourceConstraint(videoConstraints) };
    void this.#enable(constraints);
  }

  /** Stops microphone and camera. */
  disableMediaSource(): void {
    this.#core.media.disable();
  }

  /**
   * Shows a stream in an audio or video element. The own stream is shown without its sound. Throws NOT_READY_ERROR if
   * the object is no such element or there is no stream.
   */
  setViewFromStream(viewObject: HTMLMediaElement, stream: MediaStream): void {
    const element = this.#platform.asMediaElement(viewObject);
    if (element === null) throw new GrtcError(NOT_READY_ERROR, 'The view is not an audio or video element.');
    if (stream === null || stream === undefined) throw new GrtcError(NOT_READY_ERROR, 'There is no stream to show.');
    try {
      element.srcObject = stream;
    } catch (error) {
      throw new GrtcError(NOT_READY_ERROR, `The stream cannot be shown: ${describe(error)}`);
    }
    if (stream === this.#core.media.stream) {
      if (!element.muted) kLocalViewsMuted.add(element);
      element.muted = true;
    } else if (kLocalViewsMuted.delete(element)) {
      element.muted = false;
    }
    element.play().catch((error: unknown) => this.#log.notice('The browser does not play the stream yet.', error));
  }

  /** Which of our ICE candidates to send: all of them, unless the page puts a function of its own in this place. */
  filterIceCandidates(candidates: Candidate[]): Candidate[] {
    return candidates;
  }

  /** The same by the guide's other spelling; either may be replaced. */
  filterICECandidates(candidates: Candidate[]): Candidate[] {
    return this.filterIceCandidates(candidates);
  }

  /** The limit for video in kbps, from the next offer or answer on. 500 at first; 0 is none. */
  setVideoBandwidth(bandwidth: number): void {
    const kbps = Number(bandwidth);
    if (Number.isFinite(kbps) && kbps >= 0) this.#core.settings.videoBandwidth = Math.round(kbps);
    else this.#log.error(`setVideoBandwidth: not a bandwidth: ${String(bandwidth)}`);
  }

  /** Which media a call or an offer has when the method that makes it does not say. Both are true at first. */
  setMediaConstraintsForOffer(audioConstraints?: MediaConstraint, videoConstraints?: MediaConstraint): void {
    const { settings } = this.#core;
    settings.offerMedia = wantedMedia(mediaConstraint(audioConstraints), mediaConstraint(videoConstraints), kBoth);
    settings.offerMediaChosen = true;
  }

  /** The same for answers: to a call, and (once set) to offers that come within a call. */
  setMediaConstraintsForAnswer(audioConstraints?: MediaConstraint, videoConstraints?: MediaConstraint): void {
    const { settings } = this.#core;
    settings.answerMedia = wantedMedia(mediaConstraint(audioConstraints), mediaConstraint(videoConstraints), kBoth);
    settings.answerMediaChosen = true;
  }

  /** Whether each new offer within a call makes a new peer connection (true, the default) or keeps the one there is. */
  setRenewSessionOnNeed(renew: boolean): void {
    this.#core.settings.renewsConnection = renew !== false;
  }

  setLogLevel(level: LogLevel): void {
    if (Number.isInteger(level) && level >= LOG_LEVEL_NONE && level <= LOG_LEVEL_DEBUG) this.#log.level = level;
    else this.#log.error(`setLogLevel: not a log level: ${String(level)}`);
  }

  logError(message: string, exception?: unknown): void {
    this.#log.error(message, exception);
  }

  logNotice(message: string, exception?: unknown): void {
    this.#log.notice(message, exception);
  }

  logInfo(message: string, exception?: unknown): void {
    this.#log.info(message, exception);
  }

  logDebug(message: string, exception?: unknown): void {
    this.#log.debug(message, exception);
  }

  #refuse(message: string): void {
    this.#log.error(message);
    queueMicrotask(() => this.onFailed.fire({ message }));
  }

  async #enable(constraints: MediaStreamConstraints): Promise<void> {
    let result;
    try {
      result = await this.#core.media.enable(constraints);
    } catch (error) {
      const message = error instanceof GrtcError ? error.message : describe(error);
      this.#log.error(`No local media: ${message}`);
      const { cause } = error instanceof GrtcError ? error : { cause: error };
      this.onMediaFailure.fire({ message, ...(cause instanceof Error ? { name: cause.name } : {}) });
      return;
    }
    this.#core.changeSource(result.previous);
    this.onMediaSuccess.fire({ stream: result.stream });
  }

  #filtered(candidates: Candidate[]): Candidate[] {
    try {
      const chosen: unknown = this.filterICECandidates(candidates.map((candidate) => ({ ...candidate })));
      if (Array.isArray(chosen)) return chosen.filter(isCandidate);
      this.#log.error('filterIceCandidates gave no array; all candidates are used.');
    } catch (error) {
      this.#log.error('filterIceCandidates failed; all candidates are used.', error);
    }
    return candidates;
  }
}

const kBoth = { audio: true, video: true } as const;

function isCandidate(value: unknown): value is Candidate {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Candidate>).candidate === 'string';
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
