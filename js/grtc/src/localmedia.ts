// The local media source of a client: one stream from camera and microphone, shared by its sessions.

import type { MediaKind } from './constraints.js';
import { describe, GRTC_ERROR, GrtcError } from './errors.js';
import type { Platform } from './platform/platform.js';

export class LocalMedia {
  readonly #platform: Platform;
  #stream: MediaStream | null = null;
  /** Grows with each disable(), so that a stream granted after it is not kept. */
  #generation = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  get stream(): MediaStream | null {
    return this.#stream;
  }

  track(kind: MediaKind): MediaStreamTrack | null {
    return this.#stream?.getTracks().find((track) => track.kind === kind && track.readyState === 'live') ?? null;
  }

  /** Asks for the devices. The stream replaces an earlier one, which is stopped by `release` once nobody uses it. */
  async enable(constraints: MediaStreamConstraints): Promise<{ stream: MediaStream; previous: MediaStream | null }> {
    const generation = this.#generation;
    const stream = await this.#ask(constraints);
    if (generation !== this.#generation) {
      stopTracks(stream);
      throw new GrtcError(GRTC_ERROR, 'The media source was disabled before it could start.');
    }
    const previous = this.#stream;
    this.#stream = stream;
    return { stream, previous };
  }

  disable(): void {
    this.#generation += 1;
    if (this.#stream !== null) stopTracks(this.#stream);
    this.#stream = null;
  }

  async #ask(constraints: MediaStreamConstraints): Promise<MediaStream> {
    try {
      return await this.#platform.getUserMedia(constraints);
    } catch (error) {
      throw new GrtcError(GRTC_ERROR, describe(error), { cause: error });
    }
  }
}

export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
