// Tracks, streams, senders of digits and view elements that do nothing but remember.

export class FakeTrack {
  static count = 0;
  readonly id = `track-${(FakeTrack.count += 1)}`;
  enabled = true;
  muted = false;
  readonly #listeners: (() => void)[] = [];
  readyState: MediaStreamTrackState = 'live';

  constructor(readonly kind: string) {}

  stop(): void {
    this.readyState = 'ended';
  }

  addEventListener(_type: 'unmute', listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** For tests: the first packet is there. */
  unmute(): void {
    this.muted = false;
    for (const listener of this.#listeners) listener();
  }
}

export class FakeStream {
  #tracks: FakeTrack[];

  constructor(tracks: FakeTrack[]) {
    this.#tracks = [...tracks];
  }

  getTracks(): FakeTrack[] {
    return [...this.#tracks];
  }

  addTrack(track: FakeTrack): void {
    if (!this.#tracks.includes(track)) this.#tracks.push(track);
  }

  removeTrack(track: FakeTrack): void {
    this.#tracks = this.#tracks.filter((each) => each !== track);
  }
}

export class FakeDtmf {
  canInsertDTMF = true;
  toneBuffer = '';
  readonly calls: { tones: string; duration: number; gap: number }[] = [];

  insertDTMF(tones: string, duration: number, gap: number): void {
    this.calls.push({ tones, duration, gap });
    this.toneBuffer = tones;
  }
}

export class FakeElement {
  srcObject: unknown = null;
  muted = false;
  played = 0;

  play(): Promise<void> {
    this.played += 1;
    return Promise.resolve();
  }
}
