// Grtc.MediaSession: one call, made or accepted (guide, "Grtc.MediaSession").
//
//     const session = new Grtc.MediaSession(client);
//     session.onRemoteStream.add(({ stream }) => client.setViewFromStream(remoteView, stream));
//     session.makeOffer('1021');            // or, in client.onIncomingCall: session.acceptCall()
//     session.closeSession(true);
//
// When the call has ended, by whichever side, the session can be used for another one. The local media source belongs
// to the client: a session never stops it.

import { attachable, readAttached, writeInfo, type AttachedPair, type InfoData } from './attached.js';
import type { Call, CallListener } from './call.js';
import { coreOf, type Client } from './client.js';
import { mediaConstraint, type MediaConstraint, type MediaKind, type WantedMedia } from './constraints.js';
import { wantedMedia, type ClientCore } from './core.js';
import { sendTones, type DtmfOptions } from './dtmf.js';
import { describe, GRTC_ERROR, GrtcError, INVALID_STATE_ERROR } from './errors.js';
import { EventHook } from './events.js';
import { blindTransfer, attendedTransfer, isTransferState, type TransferInfo } from './transfer.js';
import type { ProgressInfo } from './wire.js';

/** For sessions among themselves. */
let dialogOf: (session: MediaSession) => { peer: string; dialog: string } | null;

export class MediaSession {
  /** The far end's media is there, or is there again after a hold. */
  readonly onRemoteStream: EventHook<{ stream: MediaStream }>;
  /** The call went on hold, by whichever side. onRemoteStream tells of the end of it. */
  readonly onSessionHold: EventHook<{ isTrue: boolean }>;
  /** Crosspoint's own: how a transfer goes on. After "transferred" the call ends here. */
  readonly onTransfer: EventHook<TransferInfo>;

  readonly #core: ClientCore;
  #ownData: AttachedPair[] | null = null;
  #peerData: unknown = undefined;
  #dialog = '';
  #farEnd = ''; // its address, if it is another one than the call's peer

  static {
    dialogOf = (session) => {
      const call = #core in session ? session.#call() : null;
      return call === null ? null : { peer: session.#farEnd || call.peer, dialog: session.#dialog };
    };
  }

  constructor(client: Client) {
    const core = typeof client === 'object' && client !== null ? coreOf(client) : null;
    if (core === null) throw new GrtcError(GRTC_ERROR, 'A MediaSession needs the Grtc.Client that it belongs to.');
    this.#core = core;
    const report = (error: unknown): void => core.log.error('A handler of the page failed.', error);
    this.onRemoteStream = new EventHook(report);
    this.onSessionHold = new EventHook(report);
    this.onTransfer = new EventHook(report);
    core.register(this);
  }

  /**
   * Calls someone, or changes the call under way. `self` is a call to the gateway, which sends our media back. Without
   * arguments in a call: a new offer for what the call is, which also repairs a broken ICE connection. Throws
   * INVALID_STATE_ERROR when signed out or when the client has another call, GRTC_ERROR if there is nothing to offer.
   */
  makeOffer(
    remoteId?: string | number | null,
    audioConstraints?: MediaConstraint,
    videoConstraints?: MediaConstraint,
    holdMedia?: boolean,
  ): void {
    const audio = mediaConstraint(audioConstraints);
    const video = mediaConstraint(videoConstraints);
    const call = this.#call();
    if (call !== null) {
      call.change({
        ...(audio === undefined ? {} : { audio }),
        ...(video === undefined ? {} : { video }),
        ...(typeof holdMedia === 'boolean' ? { held: holdMedia } : {}),
      });
      return;
    }
    const peer = nameOf(remoteId);
    const { incoming } = this.#core;
    if (incoming !== null && incoming.offer === null && (peer === '' || peer === incoming.peer)) {
      this.acceptCall(audioConstraints, videoConstraints); // how a page answers onInvite
      return;
    }
    if (incoming !== null) {
      throw new GrtcError(INVALID_STATE_ERROR, `A call from ${incoming.peer} waits; accept or reject it first.`);
    }
    if (peer === '') throw new GrtcError(INVALID_STATE_ERROR, 'There is no call, and nobody to call was given.');
    this.#peerData = undefined;
    this.#open(peer, this.#offerable(peer, audio, video), holdMedia === true).startOffer();
  }

  /** Deprecated in favour of makeOffer. */
  makeCall(remoteId: string | number, audioConstraints?: MediaConstraint, videoConstraints?: MediaConstraint): void {
    this.makeOffer(remoteId, audioConstraints, videoConstraints);
  }

  /** Accepts the incoming call, with these media. Throws INVALID_STATE_ERROR if there is none, GRTC_ERROR for no media. */
  acceptCall(audioConstraints?: MediaConstraint, videoConstraints?: MediaConstraint): void {
    const audio = mediaConstraint(audioConstraints);
    const video = mediaConstraint(videoConstraints);
    const { settings } = this.#core;
    const { incoming } = this.#core;
    const isOffered = incoming?.offer !== null;
    const wanted = wantedMedia(audio, video, isOffered ? settings.answerMedia : settings.offerMedia);
    if (incoming !== null) needMedia(wanted); // a call that cannot be accepted so still waits
    const { peer, offer, attached, sessionId, early } = this.#core.takeIncoming();
    this.#peerData = attached;
    const call = this.#open(peer, wanted, false, sessionId);
    if (offer === null) call.startOffer();
    else call.startAnswer(offer, early);
  }

  /** Rejects the incoming call. Throws INVALID_STATE_ERROR if there is none. */
  rejectCall(): void {
    this.#core.rejectIncoming();
  }

  /** Ends the call here, and with `true` at the far end too: one that waits is rejected. Without a call: nothing. */
  closeSession(sendBye = false): void {
    const call = this.#call();
    if (call !== null) this.#core.closeCall(call, sendBye);
    else if (sendBye && this.#core.incoming !== null) this.#core.rejectIncoming();
  }

  /** Obsolete: closeSession(true), but throws INVALID_STATE_ERROR if there is no call. */
  terminateCall(): void {
    this.#core.closeCall(this.#activeCall(), true);
  }

  /**
   * Crosspoint's own. Connects the far end with someone else: a number (blind), or the far end of another call of this
   * page (attended; its session belongs to another client, because a client has one call at a time). onTransfer tells
   * what becomes of it. Throws INVALID_STATE_ERROR without an established call or where the gateway cannot do it,
   * GRTC_ERROR if there is nobody to transfer to.
   */
  transferCall(target: string | number | MediaSession): void {
    const call = this.#activeCall();
    if (!call.isSetUp || !this.#core.hasFeature('transfer')) {
      throw new GrtcError(INVALID_STATE_ERROR, 'This call cannot be transferred: it is not set up, or not through SIP.');
    }
    if (!(target instanceof MediaSession)) {
      this.#core.send(call.peer, blindTransfer(target));
      return;
    }
    const other = target === this ? null : dialogOf(target);
    if (other === null || other.dialog === '') {
      throw new GrtcError(INVALID_STATE_ERROR, 'The other call is not set up, so that this one cannot join it.');
    }
    this.#core.send(call.peer, attendedTransfer(other.peer, other.dialog));
  }

  /** For the client, not for pages. */
  handleProgress(progress: ProgressInfo): void {
    const { state, dialog, address } = progress;
    if (typeof dialog === 'string' && dialog !== '') {
      this.#dialog = dialog;
      this.#farEnd = typeof address === 'string' ? address : '';
    }
    if (!isTransferState(state)) return;
    const { sipStatus, reason } = progress;
    this.onTransfer.fire({
      state,
      ...(typeof sipStatus === 'number' ? { sipStatus } : {}),
      ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    });
  }

  /**
   * Data to go along with the call: an array of one or more {key, value}. Throws GRTC_ERROR for anything else, and for
   * more than can be attached: 128 entries and 4096 bytes, percent-encoded.
   */
  setData(data: readonly AttachedPair[]): void {
    this.#ownData = attachable(data);
  }

  /** The data that came with the call, else what setData gave, else null. Throws GRTC_ERROR if it is ill-formed. */
  getData(): AttachedPair[] | null {
    const { incoming } = this.#core;
    const theirs = this.#call() === null && incoming !== null ? incoming.attached : this.#peerData;
    if (theirs !== undefined && theirs !== null && !isEmptyArray(theirs)) return readAttached(theirs);
    return this.#ownData === null ? null : readAttached(this.#ownData);
  }

  /**
   * Sends a simple object during the call: for the SIP server to map to its events (the default), or with `false` to
   * the far end. Throws GRTC_ERROR for ill-formed data and for more than 16384 bytes, percent-encoded;
   * INVALID_STATE_ERROR without a call.
   */
  sendInfo(data: InfoData, mapData = true): void {
    const text = writeInfo(data);
    this.#core.send(this.#activeCall().peer, `${mapData ? 'INFO-MAP' : 'INFO-PEER'} ${text}`);
  }

  /** Sends digits. 0 is success, -1 failure: no call with audio, other characters than 0-9 * # A-D, limits not kept. */
  sendDTMF(tones: string, options?: DtmfOptions): 0 | -1 {
    return sendTones(this.#call()?.dtmf() ?? null, tones, options ?? {});
  }

  /** Mutes (false) or unmutes (true) what is sent; other values leave a medium as it is. Throws INVALID_STATE_ERROR. */
  updateCall(audioEnabled?: boolean, videoEnabled?: boolean): void {
    const call = this.#activeCall();
    const change = (kind: MediaKind, enabled: boolean | undefined): void => {
      if (typeof enabled === 'boolean') call.enable(kind, enabled);
    };
    change('audio', audioEnabled);
    change('video', videoEnabled);
  }

  /** Puts the call on hold. Throws INVALID_STATE_ERROR if there is none. */
  holdCall(): void {
    this.#activeCall().change({ held: true });
  }

  /** Resumes the call from hold. Throws INVALID_STATE_ERROR if there is none. */
  resumeCall(): void {
    this.#activeCall().change({ held: false });
  }

  /** Asks for the call's statistics, which come with client.onStatsFromServer. Throws INVALID_STATE_ERROR. */
  getServerStats(): void {
    this.#core.send(this.#activeCall().peer, 'GET-STATS');
  }

  /** Whether the call has audio after the last negotiation. */
  hasAudioEnabled(): boolean {
    return this.#call()?.has('audio') ?? false;
  }

  /** Whether the call has video after the last negotiation. */
  hasVideoEnabled(): boolean {
    return this.#call()?.has('video') ?? false;
  }

  /** Whether there is a call, set up, with no negotiation going on. */
  isEstablished(): boolean {
    return this.#call()?.state === 'Established';
  }

  #call(): Call | null {
    return this.#core.callOf(this);
  }

  #activeCall(): Call {
    const call = this.#call();
    if (call === null) throw new GrtcError(INVALID_STATE_ERROR, 'There is no active call.');
    return call;
  }

  /** `answers` is the id that the call got when it came in. */
  #open(peer: string, wanted: WantedMedia, held: boolean, answers?: number): Call {
    const attached = (): readonly AttachedPair[] | null => this.#ownData;
    this.#dialog = this.#farEnd = '';
    return this.#core.openCall(this, this.#listener(), {
      peer,
      sessionId: answers ?? this.#core.newSessionId(),
      wanted,
      held,
      isIncoming: answers !== undefined,
      attached,
    });
  }

  /** What to offer. A call to ourselves can only have what we send. */
  #offerable(peer: string, audio: MediaConstraint | undefined, video: MediaConstraint | undefined): WantedMedia {
    const { settings, media } = this.#core;
    const wanted = wantedMedia(audio, video, settings.offerMedia);
    needMedia(wanted);
    if (peer !== 'self' || media.stream === null) return wanted;
    return {
      audio: media.track('audio') === null ? false : wanted.audio,
      video: media.track('video') === null ? false : wanted.video,
    };
  }

  #listener(): CallListener {
    const core = this.#core;
    return {
      handleRemoteStream: (stream) => void this.onRemoteStream.fire({ stream }),
      handleHold: () => void this.onSessionHold.fire({ isTrue: true }),
      handleIceDisconnected: (status) => {
        const call = this.#call();
        if (call !== null) core.handleIceDisconnected(call, status);
      },
      handleNoAnswer: () => {
        const peer = this.#call()?.peer ?? '';
        core.log.notice(`${peer} has not answered in time.`);
        core.events.onPeerNoanswer.fire({ peer });
      },
      handleWebrtcError: (error) => this.#reportWebrtc(error),
      handleFatal: (error) => {
        const call = this.#call();
        if (call === null) return;
        if (!(error instanceof GrtcError)) this.#reportWebrtc(error);
        core.failCall(call, error);
      },
      handleAttached: (attached) => {
        this.#peerData = attached;
      },
    };
  }

  #reportWebrtc(error: unknown): void {
    this.#core.log.error('The browser refused a WebRTC operation.', error);
    this.#core.events.onWebrtcError.fire({ error: describe(error) });
  }
}

/** Nobody, if it is neither text nor a number. */
function nameOf(given: unknown): string {
  return typeof given === 'string' || typeof given === 'number' ? String(given).trim() : '';
}

function needMedia({ audio, video }: WantedMedia): void {
  if (audio === false && video === false) throw new GrtcError(GRTC_ERROR, 'A call needs audio or video.');
}

function isEmptyArray(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
