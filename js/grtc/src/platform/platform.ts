// What grtc needs of a browser. `browser.ts` is the real thing; tests use `fake/`. Nothing outside this folder touches
// fetch, RTCPeerConnection, getUserMedia, the console or the DOM. (Timers, URL and AbortController are used as they
// are: Node has them too, and tests run them in virtual time.)

import type { LogSink } from '../log.js';

export interface HttpRequest {
  method: 'GET' | 'POST';
  url: string;
  body?: string;
  /** The request must survive the closing of the page. */
  keepalive?: boolean;
  signal?: AbortSignal;
}

export interface HttpReply {
  status: number;
  text: string;
  header(name: string): string | null;
}

/** The parts of RTCPeerConnection that grtc uses. */
export type PeerConnection = Pick<
  RTCPeerConnection,
  | 'addEventListener'
  | 'addIceCandidate'
  | 'addTransceiver'
  | 'close'
  | 'createAnswer'
  | 'createOffer'
  | 'getTransceivers'
  | 'iceConnectionState'
  | 'iceGatheringState'
  | 'localDescription'
  | 'setLocalDescription'
  | 'setRemoteDescription'
  | 'signalingState'
>;

export interface Platform {
  /** Whether calls are possible here: a browser with WebRTC, in a secure context. */
  isWebrtcSupported(): boolean;
  browserName(): string;
  browserVersion(): string;

  /** Rejects only when no reply came (network down, aborted); any status is a reply. */
  request(request: HttpRequest): Promise<HttpReply>;
  createPeerConnection(configuration: RTCConfiguration): PeerConnection;
  getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream>;
  createStream(tracks: MediaStreamTrack[]): MediaStream;
  /** The element to show a stream in, if `view` is one. */
  asMediaElement(view: unknown): HTMLMediaElement | null;

  /** `count` random bytes. */
  randomBytes(count: number): Uint8Array;
  readonly log: LogSink;
}
