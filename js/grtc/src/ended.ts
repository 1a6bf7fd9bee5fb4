// Calls that the page has ended, as long as the gateway may still speak of them: what it said before it heard of the end
// must not ring, and must not end the next call.
//
// Messages to the gateway leave one after the other. So until our BYE has arrived nothing later has, and what comes
// about its peer is about the call that it ends.

import type { IncomingCall } from './incoming.js';
import type { GatewayMessage } from './wire.js';

/** For this long what was under way when our BYE arrived may still come; milliseconds. */
const kOnTheWay = 5000;

/** What else there is at the moment. */
export interface Present {
  readonly active: { readonly peer: string; readonly isIncoming: boolean } | null;
  readonly incoming: IncomingCall | null;
}

export class EndedCalls {
  readonly #unheard: string[] = [];
  readonly #endedAt = new Map<string, number>();

  /** A BYE to this peer is being sent; `told` settles when it has arrived or is given up. */
  add(peer: string, told: Promise<unknown>): void {
    for (const [other, at] of this.#endedAt) if (Date.now() - at >= kOnTheWay) this.#endedAt.delete(other);
    this.#unheard.push(peer);
    void told.then(() => {
      this.#unheard.splice(this.#unheard.indexOf(peer), 1);
      this.#endedAt.set(peer, Date.now());
    });
  }

  /** Whether the message is about a call that has ended. */
  concerns(message: GatewayMessage, { active, incoming }: Present): boolean {
    switch (message.kind) {
      case 'offer': // a call begins with seq 1
        return active === null && Number(message.offer.seq) > 1 && this.#mayComeOf(message.peer);
      case 'invite':
        return this.#unheard.includes(message.peer);
      case 'bye': {
        const { peer } = message;
        if (peer === null || incoming !== null || active === null) return false;
        if (active.peer !== peer) return this.#mayComeOf(peer);
        return !active.isIncoming && this.#unheard.includes(peer);
      }
      default:
        return false;
    }
  }

  #mayComeOf(peer: string): boolean {
    return this.#unheard.includes(peer) || Date.now() - (this.#endedAt.get(peer) ?? -Infinity) < kOnTheWay;
  }
}
