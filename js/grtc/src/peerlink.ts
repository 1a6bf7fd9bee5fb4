// One peer connection with its media: makes local descriptions with their candidates, applies remote ones, and knows
// what flows. It knows nothing of ROAP and of the order of offers and answers.

import { directionFor, kKinds, type MediaConstraint, type MediaKind, type WantedMedia } from './constraints.js';
import { delay } from './delay.js';
import type { LocalMedia } from './localmedia.js';
import type { PeerConnection, Platform } from './platform/platform.js';
import {
  candidatesOf,
  limitedVideoBandwidth,
  sectionsOf,
  withCandidates,
  withRefused,
  withVideoBandwidth,
  type Candidate,
  type Direction,
} from './sdp.js';

export interface PeerLinkOptions {
  readonly rtc: RTCConfiguration;
  /** Milliseconds that gathering may take. */
  readonly iceTimeout: number;
  readonly videoBandwidth: () => number;
  /** The page's choice among our candidates. */
  readonly filterCandidates: (candidates: Candidate[]) => Candidate[];
  readonly onCandidateError: (error: unknown) => void;
}

/** A description to send. */
export interface LocalDescription {
  readonly sdp: string;
  readonly candidates: Candidate[];
}

/** How the last description of the far end stands to one of our media. */
export interface MediumState {
  /** The section is there and not refused. */
  readonly accepted: boolean;
  /** As the far end says it, from its side. */
  readonly remoteDirection: Direction;
  readonly currentDirection: RTCRtpTransceiverDirection | null;
}

export class PeerLink {
  readonly #connection: PeerConnection;
  readonly #options: PeerLinkOptions;
  readonly #closed = new AbortController();
  #media = new Map<MediaKind, MediumState>();
  #remoteSdp = '';
  #agreed = false; // an offer has had its final answer
  /** The owner's; nobody's at first. */
  onIceState: ((state: RTCIceConnectionState) => void) | null = null;

  constructor(platform: Platform, options: PeerLinkOptions) {
    this.#options = options;
    this.#connection = platform.createPeerConnection(options.rtc);
    this.#connection.addEventListener('iceconnectionstatechange', () => {
      if (!this.isClosed) this.onIceState?.(this.#connection.iceConnectionState);
    });
  }

  get isClosed(): boolean {
    return this.#closed.signal.aborted;
  }

  get iceState(): RTCIceConnectionState {
    return this.#connection.iceConnectionState;
  }

  close(): void {
    if (this.isClosed) return;
    this.#closed.abort();
    this.#connection.close();
  }

  /** The kinds of the sections, in the SDP's order. */
  layout(): string[] {
    return this.#connection.getTransceivers().map(({ receiver }) => receiver.track.kind);
  }

  /**
   * Before the first offer: sections for the same kinds in the same order as in the connection that this one replaces,
   * because an offer within a session never drops one (RFC 3264 §8).
   */
  takeLayout(kinds: readonly string[]): void {
    for (const kind of kinds) this.#connection.addTransceiver(kind, { direction: 'inactive' });
  }

  /** An offer for what is wanted, with the candidates gathered within the limit. */
  async makeOffer(
    wanted: WantedMedia,
    held: boolean,
    source: LocalMedia,
    iceRestart: boolean,
  ): Promise<LocalDescription> {
    for (const kind of kKinds) await this.#prepareForOffer(kind, wanted[kind], held, source);
    const offer = await this.#connection.createOffer({ iceRestart });
    await this.#connection.setLocalDescription(offer);
    return this.#finishLocal();
  }

  async takeOffer(offer: LocalDescription): Promise<void> {
    await this.#setRemote('offer', offer);
  }

  /**
   * Answers the far end's offer with what is wanted of it. A provisional answer says what there may be, whatever the
   * source has; the final one follows on the same connection.
   */
  async makeAnswer(
    wanted: WantedMedia,
    held: boolean,
    source: LocalMedia,
    provisional = false,
  ): Promise<LocalDescription> {
    for (const kind of kKinds) await this.#prepareForAnswer(kind, wanted[kind], held, source, provisional);
    const { sdp } = await this.#connection.createAnswer();
    await this.#connection.setLocalDescription({ type: provisional ? 'pranswer' : 'answer', sdp: sdp ?? '' });
    // A section that the provisional answer had can only be silenced by the browser: refused it is by us.
    const refused = provisional || this.#agreed ? [] : kKinds.filter((kind) => isUnwanted(kind, wanted, source));
    if (!provisional) this.#settle();
    const local = await this.#finishLocal();
    return { ...local, sdp: withRefused(local.sdp, refused) };
  }

  /** Takes the answer to our offer. */
  async takeAnswer(answer: LocalDescription, provisional: boolean): Promise<void> {
    await this.#setRemote(provisional ? 'pranswer' : 'answer', answer);
    if (provisional) this.#readMedia();
    else this.#settle();
  }

  /** Forgets an offer that got no answer. */
  async rollBack(): Promise<void> {
    const { signalingState } = this.#connection;
    if (signalingState === 'have-local-offer' || signalingState === 'have-remote-pranswer') {
      await this.#connection.setLocalDescription({ type: 'rollback' });
    }
  }

  /** Puts the source's present tracks in the place of those being sent. Needs no negotiation. */
  async replaceTracks(source: LocalMedia): Promise<void> {
    for (const kind of kKinds) {
      const sender = this.#transceivers(kind).find(({ sender: { track } }) => track !== null)?.sender;
      const track = source.track(kind);
      if (sender !== undefined && track !== null && sender.track !== track) await sender.replaceTrack(track);
    }
  }

  medium(kind: MediaKind): MediumState | undefined {
    return this.#media.get(kind);
  }

  /** The tracks that the far end may send on now. */
  receivedTracks(): MediaStreamTrack[] {
    return kKinds.flatMap((kind) =>
      this.#transceivers(kind)
        .filter(({ currentDirection }) => currentDirection === 'sendrecv' || currentDirection === 'recvonly')
        .map(({ receiver }) => receiver.track),
    );
  }

  sentTracks(kind: MediaKind): MediaStreamTrack[] {
    return this.#transceivers(kind).flatMap(({ sender }) => (sender.track === null ? [] : [sender.track]));
  }

  /** The sender of digits, if digits can be sent. */
  dtmf(): RTCDTMFSender | null {
    const senders = this.#transceivers('audio').map(({ sender }) => sender.dtmf);
    return senders.find((dtmf) => dtmf?.canInsertDTMF === true) ?? null;
  }

  #transceivers(kind: MediaKind): RTCRtpTransceiver[] {
    return this.#connection
      .getTransceivers()
      .filter(({ receiver, direction, currentDirection }) => {
        return receiver.track.kind === kind && direction !== 'stopped' && currentDirection !== 'stopped';
      });
  }

  async #prepareForOffer(kind: MediaKind, wanted: MediaConstraint, held: boolean, source: LocalMedia): Promise<void> {
    const track = source.track(kind);
    const direction = directionFor(wanted, track !== null);
    const [first, ...others] = this.#transceivers(kind);
    if (first === undefined) {
      if (direction === null) return;
      const sends = direction === 'sendrecv' || direction === 'sendonly';
      this.#connection.addTransceiver(sends && track !== null ? track : kind, {
        direction: held ? 'inactive' : direction,
        ...(source.stream !== null && sends ? { streams: [source.stream] } : {}),
      });
      return;
    }
    await this.#direct(first, direction, held, source, track);
    for (const other of others) {
      // One that has never been used by the far end stays silent.
      const used = other.currentDirection !== null && other.currentDirection !== 'inactive';
      other.direction = held || direction === null || !used ? 'inactive' : 'recvonly';
    }
  }

  async #prepareForAnswer(
    kind: MediaKind,
    wanted: MediaConstraint,
    held: boolean,
    source: LocalMedia,
    provisional: boolean,
  ): Promise<void> {
    const track = source.track(kind);
    const direction = directionFor(wanted, provisional || track !== null);
    const [first, ...others] = this.#transceivers(kind);
    if (direction === null) {
      // A section that was never accepted is refused; one that was in use is only silenced, so that it can come back.
      for (const transceiver of this.#transceivers(kind)) {
        if (transceiver.currentDirection === null && !provisional) transceiver.stop();
        else transceiver.direction = 'inactive';
      }
      return;
    }
    if (first !== undefined) await this.#direct(first, direction, held, source, track);
    for (const other of others) other.direction = held ? 'inactive' : 'recvonly';
  }

  async #direct(
    transceiver: RTCRtpTransceiver,
    direction: RTCRtpTransceiverDirection | null,
    held: boolean,
    source: LocalMedia,
    track: MediaStreamTrack | null,
  ): Promise<void> {
    const sends = direction === 'sendrecv' || direction === 'sendonly';
    const wantedTrack = sends ? track : null;
    // While held the track stays in its place: the direction alone silences it.
    if (transceiver.sender.track !== wantedTrack) await transceiver.sender.replaceTrack(wantedTrack);
    if (wantedTrack !== null && source.stream !== null) transceiver.sender.setStreams(source.stream);
    transceiver.direction = held || direction === null ? 'inactive' : direction;
  }

  async #setRemote(type: 'offer' | 'answer' | 'pranswer', { sdp, candidates }: LocalDescription): Promise<void> {
    const limited = limitedVideoBandwidth(sdp, this.#options.videoBandwidth());
    this.#remoteSdp = sdp;
    await this.#connection.setRemoteDescription({ type, sdp: limited });
    for (const candidate of candidates) {
      try {
        const { sdpMLineIndex, sdpMid } = candidate;
        const place = typeof sdpMLineIndex === 'number' ? { sdpMLineIndex } : { sdpMid: sdpMid ?? '0' };
        await this.#connection.addIceCandidate({ candidate: candidate.candidate, ...place });
      } catch (error) {
        this.#options.onCandidateError(error);
      }
    }
  }

  #settle(): void {
    this.#agreed = true;
    this.#readMedia();
  }

  #readMedia(): void {
    const sections = sectionsOf(this.#remoteSdp);
    this.#media = new Map(
      kKinds.flatMap((kind) => {
        const own = sections.filter((section) => section.kind === kind);
        const live = own.find(({ live: isLive }) => isLive);
        if (own.length === 0) return [];
        const [transceiver] = this.#transceivers(kind);
        const state: MediumState = {
          accepted: live !== undefined && transceiver !== undefined,
          remoteDirection: live?.direction ?? 'inactive',
          currentDirection: transceiver?.currentDirection ?? null,
        };
        return [[kind, state] as const];
      }),
    );
  }

  async #finishLocal(): Promise<LocalDescription> {
    await this.#gathered();
    const sdp = this.#connection.localDescription?.sdp ?? '';
    const candidates = this.#options.filterCandidates(candidatesOf(sdp));
    return { sdp: withVideoBandwidth(withCandidates(sdp, candidates), this.#options.videoBandwidth()), candidates };
  }

  /** Resolves when gathering is complete, has taken too long, or the link is closed. */
  async #gathered(): Promise<void> {
    const { iceGatheringState, localDescription } = this.#connection;
    // After an ICE restart the state may still be the old round's: then the description has no candidate yet.
    if (iceGatheringState === 'complete' && candidatesOf(localDescription?.sdp ?? '').length > 0) return;
    const complete = new AbortController();
    const { signal } = complete;
    const check = (): void => {
      if (this.#connection.iceGatheringState === 'complete') complete.abort();
    };
    this.#connection.addEventListener('icegatheringstatechange', check, { signal });
    this.#closed.signal.addEventListener('abort', () => complete.abort(), { signal });
    await delay(this.#options.iceTimeout, signal);
    complete.abort();
  }
}

function isUnwanted(kind: MediaKind, wanted: WantedMedia, source: LocalMedia): boolean {
  return directionFor(wanted[kind], source.track(kind) !== null) === null;
}
