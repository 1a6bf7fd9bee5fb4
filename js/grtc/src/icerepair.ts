// Keeps a call's ICE connection alive when the network fails or changes: when to restart it.
//
//   "disconnected" may pass by itself: a restart follows if it has not after a moment. "failed" and another network do
//   not: a restart at once. Each is repeated until ICE is connected or the call has ended.
//
// The page is told first, and may make the offer itself (guide, "onIceDisconnected"): then that one is the restart.

export interface IceRepairOptions {
  /** Whether no offer is under way or due. */
  readonly isQuiet: () => boolean;
  readonly iceState: () => RTCIceConnectionState | null;
  /** Makes an offer that restarts ICE. */
  readonly restart: () => void;
  /** Tells the page. */
  readonly tell: (status: string) => void;
}

const kGrace = 2000;
/** Checks give up on a new pair after about that long, and so do we. */
const kRetry = 10000;

export class IceRepair {
  readonly #options: IceRepairOptions;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: IceRepairOptions) {
    this.#options = options;
  }

  handleState(state: RTCIceConnectionState): void {
    if (state === 'connected' || state === 'completed') {
      this.close();
    } else if (state === 'disconnected' || state === 'failed') {
      if (state === 'disconnected' || this.#options.isQuiet()) this.#options.tell(state); // else it is in hand
      if (!this.#options.isQuiet()) this.#checkIn(kRetry);
      else if (state === 'failed') this.#restart();
      else this.#checkIn(kGrace);
    }
  }

  handleNetworkChange(): void {
    this.#restart();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #restart(): void {
    this.#options.restart();
    this.#checkIn(kRetry);
  }

  #checkIn(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), milliseconds);
  }

  #check(): void {
    const state = this.#options.iceState();
    if (state === null || state === 'connected' || state === 'completed') return;
    if (this.#options.isQuiet()) this.#restart();
    else this.#checkIn(kRetry);
  }
}
