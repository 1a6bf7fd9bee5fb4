// Which media of a call the page has muted. Tracks that come into the call later are as mute as those before them.

import { kKinds, type MediaKind } from './constraints.js';

export class Muting {
  readonly #tracks: (kind: MediaKind) => Iterable<MediaStreamTrack>;
  readonly #muted = new Set<MediaKind>();

  /** `tracks` gives those that are sent, or will be. */
  constructor(tracks: (kind: MediaKind) => Iterable<MediaStreamTrack>) {
    this.#tracks = tracks;
  }

  enable(kind: MediaKind, enabled: boolean): void {
    if (enabled) this.#muted.delete(kind);
    else this.#muted.add(kind);
    for (const track of this.#tracks(kind)) track.enabled = enabled;
  }

  /** To be called when tracks have changed. */
  keep(): void {
    for (const kind of this.#muted) this.enable(kind, false);
  }

  /** The tracks outlive the call. */
  release(): void {
    for (const kind of kKinds) if (this.#muted.has(kind)) this.enable(kind, true);
  }
}
