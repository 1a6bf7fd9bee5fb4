// What is done for an incoming call while it rings: a provisional answer without the microphone, so that ICE and DTLS are
// done by the time the user accepts, and the first word is heard (docs/protocols/signalling.md, section 3.6).

import type { WantedMedia } from './constraints.js';
import { LocalMedia } from './localmedia.js';
import type { PeerLink } from './peerlink.js';
import type { Platform } from './platform/platform.js';
import { writeAnswer, type RoapOffer } from './roap.js';

export interface EarlyAnswerOptions {
  readonly platform: Platform;
  readonly offer: RoapOffer;
  readonly sessionId: number;
  readonly wanted: WantedMedia;
  readonly post: (body: string) => void;
  readonly onFailure: (error: unknown) => void;
}

export class EarlyAnswer {
  readonly #link: PeerLink;
  readonly #done: Promise<void>;
  #closed = false;

  constructor(link: PeerLink, options: EarlyAnswerOptions) {
    this.#link = link;
    this.#done = this.#run(options);
  }

  /** The connection as far as it has come, now the caller's. Null if it came to nothing. */
  async take(): Promise<PeerLink | null> {
    await this.#done;
    return this.#link.isClosed ? null : this.#link;
  }

  close(): void {
    this.#closed = true;
    this.#link.close();
  }

  async #run({ platform, offer, sessionId, wanted, post, onFailure }: EarlyAnswerOptions): Promise<void> {
    try {
      const { sdp, candidates } = offer;
      await this.#link.takeOffer({ sdp, candidates });
      const local = await this.#link.makeAnswer(wanted, false, new LocalMedia(platform), true);
      if (this.#closed) return;
      post(writeAnswer({ ...local, attached: null, to: offer, sessionId, moreComing: true }));
    } catch (error) {
      if (this.#closed) return;
      this.#link.close();
      onFailure(error);
    }
  }
}
