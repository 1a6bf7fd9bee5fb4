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
  /** Only whether anything answers is of interest: the reply may be unreadable (its status 0). */
  probe?: boolean;
}

export interface HttpReply {
  status: number;
  text: string;
  header(name: string): string | null;
}

/** A WebSocket that is open or on its way to be. After `close()` its handlers hear nothing. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketHandlers {
  handleOpen(): void;
  handleText(text: string): void;
  /** Once, also where it never opened. The code is that of the WebSocket, 1006 where the connection was cut. */
  handleClose(code: number): void;
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
  /** `url` is the HTTP one. Null where there are no WebSockets. */
  openSocket(url: string, handlers: SocketHandlers): Socket | null;
  /** Calls back when the device has got another network. Returns what ends that. */
  onNetworkChange(callback: () => void): () => void;
  /** Calls back when the page is going for good: closed, reloaded, left. Returns what ends that. */
  onPageEnd(callback: () => void): () => void;
  /** The page came by https: then browsers ask nobody by http, but on this machine. */
  readonly isHttpsPage: boolean;
  /** Whether provisional answers are understood here. Firefox refuses them ("pranswer"). */
  readonly takesProvisionalAnswers: boolean;
  createPeerConnection(configuration: RTCConfiguration): PeerConnection;
  getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream>;
  createStream(tracks: MediaStreamTrack[]): MediaStream;
  /** The element to show a stream in, if `view` is one. */
  asMediaElement(view: unknown): HTMLMediaElement | null;

  /** `count` random bytes. */
  randomBytes(count: number): Uint8Array;
  readonly log: LogSink;
}
