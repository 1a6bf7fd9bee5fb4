// A call that came in and waits for the page.

import type { EarlyAnswer } from './early.js';
import type { RoapOffer } from './roap.js';

export interface IncomingCall {
  readonly peer: string;
  /** Null after an INVITE: the call is accepted by making an offer. */
  readonly offer: RoapOffer | null;
  readonly attached: unknown;
  /** Our own id of the call to be. */
  readonly sessionId: number;
  /** What has been done towards an answer while it rings. */
  early: EarlyAnswer | null;
}

/** Whether the gateway has only sent the same OFFER again. */
export function isSameOffer(one: RoapOffer | null, other: RoapOffer): boolean {
  if (one === null) return false;
  return one.offererSessionId === other.offererSessionId && one.seq === other.seq && one.sdp === other.sdp;
}
