// A peer connection that keeps the rules of offer and answer, and carries nothing.
//
// Its SDP is what grtc looks at: sections with direction, mid, ICE user name and candidates. An ICE restart and a new
// connection change the user name. Gathering takes `gatherTime`; null is "never ends".

import { sectionsOf, type Direction } from '../../sdp.js';
import { FakeDtmf, FakeTrack } from './media.js';

type Listener = () => void;

export class FakeSender {
  readonly dtmf: FakeDtmf | null;
  track: FakeTrack | null;
  streams: unknown[] = [];

  constructor(kind: string, track: FakeTrack | null) {
    this.track = track;
    this.dtmf = kind === 'audio' ? new FakeDtmf() : null;
  }

  setStreams(...streams: unknown[]): void {
    this.streams = streams;
  }

  replaceTrack(track: FakeTrack | null): Promise<void> {
    this.track = track;
    return Promise.resolve();
  }
}

export class FakeTransceiver {
  readonly sender: FakeSender;
  readonly receiver: { track: FakeTrack };
  currentDirection: Direction | 'stopped' | null = null;
  inSdp = false;

  constructor(
    readonly kind: string,
    public direction: Direction | 'stopped',
    track: FakeTrack | null,
  ) {
    this.sender = new FakeSender(kind, track);
    this.receiver = { track: new FakeTrack(kind) };
  }

  stop(): void {
    this.direction = 'stopped';
  }
}

const kReversed: Record<Direction, Direction> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

/** What remains of our direction when the far end allows `remote` (from its side). */
export function intersect(own: Direction, remote: Direction): Direction {
  const allowed = kReversed[remote];
  const send = (own === 'sendrecv' || own === 'sendonly') && (allowed === 'sendrecv' || allowed === 'sendonly');
  const receive = (own === 'sendrecv' || own === 'recvonly') && (allowed === 'sendrecv' || allowed === 'recvonly');
  if (send) return receive ? 'sendrecv' : 'sendonly';
  return receive ? 'recvonly' : 'inactive';
}

export class FakePeerConnection {
  static count = 0;
  readonly number = (FakePeerConnection.count += 1);
  signalingState: RTCSignalingState = 'stable';
  iceGatheringState: RTCIceGatheringState = 'new';
  iceConnectionState: RTCIceConnectionState = 'new';
  localDescription: { type: RTCSdpType; sdp: string } | null = null;
  remoteDescription: { type: string; sdp: string } | null = null;
  closed = false;
  /** Fails the next call of this name. */
  failNext: 'createOffer' | 'setRemoteDescription' | 'createAnswer' | null = null;
  readonly addedCandidates: RTCIceCandidateInit[] = [];
  readonly transceivers: FakeTransceiver[] = [];
  readonly #listeners = new Map<string, Set<Listener>>();
  #generation = 0;

  constructor(
    readonly configuration: RTCConfiguration,
    readonly gatherTime: number | null,
    readonly candidateLines: readonly string[],
  ) {}

  get ufrag(): string {
    return `u${this.number}g${this.#generation}`;
  }

  addEventListener(type: string, listener: Listener, options: { signal?: AbortSignal } = {}): void {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    options.signal?.addEventListener('abort', () => void listeners.delete(listener));
  }

  get listenerCount(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  getTransceivers(): FakeTransceiver[] {
    return [...this.transceivers];
  }

  addTransceiver(what: FakeTrack | string, init: { direction: Direction }): FakeTransceiver {
    const kind = typeof what === 'string' ? what : what.kind;
    const transceiver = new FakeTransceiver(kind, init.direction, typeof what === 'string' ? null : what);
    this.transceivers.push(transceiver);
    return transceiver;
  }

  createOffer(options: { iceRestart?: boolean } = {}): Promise<{ type: 'offer'; sdp: string }> {
    if (this.#fails('createOffer')) return Promise.reject(new Error('createOffer failed'));
    if (options.iceRestart === true) {
      this.#generation += 1;
      this.iceGatheringState = 'new';
    }
    return Promise.resolve({ type: 'offer', sdp: '' });
  }

  createAnswer(): Promise<{ type: 'answer'; sdp: string }> {
    if (this.#fails('createAnswer')) return Promise.reject(new Error('createAnswer failed'));
    return Promise.resolve({ type: 'answer', sdp: '' });
  }

  setLocalDescription({ type }: { type: RTCSdpType }): Promise<void> {
    if (type === 'rollback') {
      this.signalingState = 'stable';
      return Promise.resolve();
    }
    for (const transceiver of this.transceivers) transceiver.inSdp = true;
    if (type === 'offer') {
      this.signalingState = 'have-local-offer';
      this.localDescription = { type, sdp: this.#sdp((transceiver) => transceiver.direction) };
    } else {
      if (!['have-remote-offer', 'have-local-pranswer'].includes(this.signalingState)) {
        return Promise.reject(new Error(`a local ${type} in state ${this.signalingState}`));
      }
      this.signalingState = type === 'pranswer' ? 'have-local-pranswer' : 'stable';
      this.#settle();
      this.localDescription = { type, sdp: this.#sdp((transceiver) => transceiver.currentDirection ?? 'inactive') };
    }
    this.#gather();
    return Promise.resolve();
  }

  setRemoteDescription({ type, sdp }: { type: string; sdp: string }): Promise<void> {
    if (this.#fails('setRemoteDescription')) return Promise.reject(new Error('setRemoteDescription failed'));
    const expected = type === 'offer' ? 'stable' : 'have-';
    if (this.closed || !this.signalingState.startsWith(expected)) {
      return Promise.reject(new Error(`a remote ${type} in state ${this.signalingState}`));
    }
    this.remoteDescription = { type, sdp };
    if (type === 'offer') {
      this.signalingState = 'have-remote-offer';
      sectionsOf(sdp).forEach(({ kind }, index) => {
        if (this.transceivers[index] === undefined) this.transceivers.push(new FakeTransceiver(kind, 'recvonly', null));
      });
    } else {
      this.signalingState = type === 'pranswer' ? 'have-remote-pranswer' : 'stable';
      this.#settle();
    }
    return Promise.resolve();
  }

  addIceCandidate(candidate: RTCIceCandidateInit): Promise<void> {
    this.addedCandidates.push(candidate);
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.signalingState = 'closed';
  }

  /** For tests: the network changed. */
  setIceState(state: RTCIceConnectionState): void {
    this.iceConnectionState = state;
    this.#emit('iceconnectionstatechange');
  }

  #settle(): void {
    const sections = sectionsOf(this.remoteDescription?.sdp ?? '');
    this.transceivers.forEach((transceiver, index) => {
      const section = sections[index];
      if (transceiver.direction === 'stopped' || section === undefined || !section.live) {
        transceiver.currentDirection = 'stopped';
        transceiver.direction = 'stopped';
      } else {
        transceiver.currentDirection = intersect(transceiver.direction, section.direction);
      }
    });
  }

  #sdp(directionOf: (transceiver: FakeTransceiver) => Direction | 'stopped'): string {
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0'];
    this.transceivers.forEach((transceiver, index) => {
      const direction = directionOf(transceiver);
      lines.push(
        `m=${transceiver.kind} ${direction === 'stopped' ? 0 : 9} UDP/TLS/RTP/SAVPF 96`,
        'c=IN IP4 0.0.0.0',
        `a=ice-ufrag:${this.ufrag}`,
        `a=mid:${index}`,
        `a=${direction === 'stopped' ? 'inactive' : direction}`,
      );
      if (this.iceGatheringState === 'complete') lines.push(...this.candidateLines.map((line) => `a=${line}`));
    });
    return `${lines.join('\r\n')}\r\n`;
  }

  #gather(): void {
    if (this.iceGatheringState !== 'new' || this.gatherTime === null) return;
    this.iceGatheringState = 'gathering';
    setTimeout(() => {
      if (this.closed) return;
      this.iceGatheringState = 'complete';
      const described = this.localDescription;
      if (described !== null) {
        const answers = described.type !== 'offer';
        const sdp = this.#sdp((each) => (answers ? (each.currentDirection ?? 'inactive') : each.direction));
        this.localDescription = { type: described.type, sdp };
      }
      this.#emit('icegatheringstatechange');
    }, this.gatherTime);
  }

  #emit(type: string): void {
    for (const listener of this.#listeners.get(type) ?? []) listener();
  }

  #fails(name: NonNullable<FakePeerConnection['failNext']>): boolean {
    if (this.failNext !== name) return false;
    this.failNext = null;
    return true;
  }
}
