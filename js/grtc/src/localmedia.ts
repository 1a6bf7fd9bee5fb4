// The local media source of a client: one stream from camera and microphone, shared by its sessions.

import type { MediaKind } from './constraints.js';
import { describe, GRTC_ERROR, GrtcError } from './errors.js';
import type { Platform } from './platform/platform.js';

export class LocalMedia {
  readonly #platform: Platform;
  #stream: MediaStream | null = null;
  /** Grows with each disable(), so that a stream granted after it is not kept. */
  #generation = 0;
  /** Each enable() has a number: one that is granted after a later one is not kept either. */
  #lastAsked = 0;
  #granted = 0;

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
    const number = (this.#lastAsked += 1);
    const stream = await this.#ask(constraints);
    if (generation !== this.#generation || number < this.#granted) {
      stopTracks(stream);
      const why = generation === this.#generation ? 'replaced by another one' : 'disabled';
      throw new GrtcError(GRTC_ERROR, `The media source was ${why} before it could start.`);
    }
    this.#granted = number;
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
      throw new GrtcError(GRTC_ERROR, `${describe(error)}${failedConstraint(error)}`, { cause: error });
    }
  }
}

/** Browsers say nothing of a constraint that no device meets, but its name. */
function failedConstraint(error: unknown): string {
  const { constraint } = error as { constraint?: unknown };
  return typeof constraint === 'string' && constraint !== '' ? ` (${constraint})` : '';
}

export function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
