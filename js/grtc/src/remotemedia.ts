// What the page sees of the far end's media: one stream for the whole peer connection, and whether the call is held.
//
// The stream is our own, filled from the receivers, so that it does not depend on what the SDP says of streams (msid).

import type { WantedMedia } from './constraints.js';
import { kKinds } from './constraints.js';
import type { PeerLink } from './peerlink.js';
import type { Platform } from './platform/platform.js';

export interface RemoteMediaListener {
  handleRemoteStream(stream: MediaStream): void;
  handleHold(): void;
}

export class RemoteMedia {
  readonly #platform: Platform;
  readonly #listener: RemoteMediaListener;
  #stream: MediaStream | null = null;
  #link: PeerLink | null = null;
  #held = false;
  #early = new AbortController();

  constructor(platform: Platform, listener: RemoteMediaListener) {
    this.#platform = platform;
    this.#listener = listener;
  }

  get isHeld(): boolean {
    return this.#held;
  }

  /** To be called after a provisional answer: the page hears of the stream once there is something to hear. */
  updateEarly(link: PeerLink, wanted: WantedMedia): void {
    this.close();
    const early = new AbortController();
    this.#early = early;
    for (const track of link.receivedTracks()) {
      const isThere = (): void => {
        if (!early.signal.aborted) this.update(link, wanted, false);
      };
      if (!track.muted) isThere();
      else track.addEventListener('unmute', isThere, { signal: early.signal });
    }
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#early.abort();
  }

  /** To be called after each negotiation. */
  update(link: PeerLink, wanted: WantedMedia, heldByUs: boolean): void {
    this.close();
    const first = this.#link === null;
    const wasHeld = this.#held;
    this.#held = heldByUs || (!first && isHeldByFarEnd(link, wanted));
    if (this.#held) {
      this.#link ??= link;
      if (!wasHeld) this.#listener.handleHold();
      return;
    }
    const added = this.#collect(link);
    this.#link = link;
    if (this.#stream !== null && (added || wasHeld)) this.#listener.handleRemoteStream(this.#stream);
  }

  /** Brings the stream up to date; true if it has got something new. */
  #collect(link: PeerLink): boolean {
    const tracks = link.receivedTracks();
    if (this.#stream === null || this.#link !== link) {
      this.#stream = tracks.length > 0 ? this.#platform.createStream(tracks) : null;
      return this.#stream !== null;
    }
    const present = this.#stream.getTracks();
    for (const track of present) if (!tracks.includes(track)) this.#stream.removeTrack(track);
    const missing = tracks.filter((track) => !present.includes(track));
    for (const track of missing) this.#stream.addTrack(track);
    return missing.length > 0;
  }
}

/** Nothing is to come any more, or the far end only sends (music) where we would send too (RFC 3264 §8.4). */
function isHeldByFarEnd(link: PeerLink, wanted: WantedMedia): boolean {
  const live = kKinds.flatMap((kind) => {
    const medium = link.medium(kind);
    if (medium?.accepted !== true || wanted[kind] === false) return [];
    return [{ ...medium, sends: link.sentTracks(kind).length > 0 }];
  });
  return (
    live.length > 0 &&
    live.every(({ remoteDirection, sends }) => {
      return remoteDirection === 'inactive' || (remoteDirection === 'sendonly' && sends);
    })
  );
}
