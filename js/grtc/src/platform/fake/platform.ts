// A browser made of the fakes beside this file. Tests drive it in virtual time.

import type { LogLevel } from '../../log.js';
import type { HttpReply, HttpRequest, PeerConnection, Platform, Socket, SocketHandlers } from '../platform.js';
import { FakeGateway } from './gateway.js';
import { FakeElement, FakeStream, FakeTrack } from './media.js';
import { FakePeerConnection } from './peerconnection.js';

export class FakePlatform implements Platform {
  readonly gateway = new FakeGateway();
  readonly connections: FakePeerConnection[] = [];
  readonly streams: FakeStream[] = [];
  readonly askedFor: MediaStreamConstraints[] = [];
  readonly lines: { level: LogLevel; line: string }[] = [];
  supported = true;
  hasSockets = true;
  takesProvisionalAnswers = true;
  isHttpsPage = false;
  /** What the user says to the question for devices; null: nothing yet. */
  mediaFailure: Error | null = null;
  mediaDelay = 0;
  gatherTime: number | null = 10;
  candidateLines = [
    'candidate:1 1 udp 2122260223 192.168.1.7 50000 typ host',
    'candidate:2 1 tcp 1518280447 10.0.0.1 9 typ host',
  ];
  #random = 0;
  readonly #networkListeners = new Set<() => void>();
  readonly #endListeners = new Set<() => void>();

  /** The newest peer connection. */
  get connection(): FakePeerConnection {
    const last = this.connections.at(-1);
    if (last === undefined) throw new Error('no peer connection has been made');
    return last;
  }

  isWebrtcSupported(): boolean {
    return this.supported;
  }

  browserName(): string {
    return 'fake';
  }

  browserVersion(): string {
    return '1';
  }

  request(request: HttpRequest): Promise<HttpReply> {
    return this.gateway.handle(request);
  }

  openSocket(url: string, handlers: SocketHandlers): Socket | null {
    return this.hasSockets ? this.gateway.openSocket(url, handlers) : null;
  }

  onNetworkChange(callback: () => void): () => void {
    this.#networkListeners.add(callback);
    return () => void this.#networkListeners.delete(callback);
  }

  onPageEnd(callback: () => void): () => void {
    this.#endListeners.add(callback);
    return () => void this.#endListeners.delete(callback);
  }

  /** For tests: the page is closed. */
  endPage(): void {
    for (const callback of this.#endListeners) callback();
  }

  get networkListeners(): number {
    return this.#networkListeners.size;
  }

  /** For tests: the device has got another network. */
  changeNetwork(): void {
    for (const callback of this.#networkListeners) callback();
  }

  createPeerConnection(configuration: RTCConfiguration): PeerConnection {
    const connection = new FakePeerConnection(configuration, this.gatherTime, this.candidateLines);
    this.connections.push(connection);
    return connection as unknown as PeerConnection;
  }

  async getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream> {
    this.askedFor.push(constraints);
    if (this.mediaDelay > 0) await new Promise((resolve) => setTimeout(resolve, this.mediaDelay));
    if (this.mediaFailure !== null) throw this.mediaFailure;
    const kinds = (['audio', 'video'] as const).filter((kind) => constraints[kind] !== false);
    const stream = new FakeStream(kinds.map((kind) => new FakeTrack(kind)));
    this.streams.push(stream);
    return stream as unknown as MediaStream;
  }

  createStream(tracks: MediaStreamTrack[]): MediaStream {
    return new FakeStream(tracks as unknown as FakeTrack[]) as unknown as MediaStream;
  }

  asMediaElement(view: unknown): HTMLMediaElement | null {
    return view instanceof FakeElement ? (view as unknown as HTMLMediaElement) : null;
  }

  randomBytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => (this.#random += 1) % 256);
  }

  readonly log = (level: LogLevel, line: string): void => {
    this.lines.push({ level, line });
  };
}
