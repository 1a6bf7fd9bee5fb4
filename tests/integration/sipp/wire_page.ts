// A page reduced to what it says on the wire: it signs in, polls, offers and answers, and has no media.
import { Gateway } from '../support/gateway';
import { offerOf } from '../support/raw_client';
import { until } from '../support/wait';

export interface FromGateway {
  body: string;
  peer: string | null;
}
export interface Roap {
  messageType: string;
  sdp?: string;
  seq?: number;
  offererSessionId?: number | string | null;
  answererSessionId?: number | string | null;
  tiebreaker?: number;
  errorType?: string;
  sipStatus?: number;
  reason?: string;
  moreComing?: boolean;
  attacheddata?: { key: string; value: string }[];
}

export interface SignIn {
  dn?: string; // anonymous without it
  features?: string[]; // extensions that it asks for
  credentials?: boolean; // with a password
}

/** What a page's browser would offer: PCMU and digits. */
export const kPageOffer = offerOf(0, 'PCMU/8000').replace('RTP/SAVPF 0', 'RTP/SAVPF 0 101') + 'a=rtpmap:101 telephone-event/8000\r\n';
/** Of one that speaks both laws of G.711, and knows no digits. */
export const kBothLaws = `${offerOf(0, 'PCMU/8000').replace('RTP/SAVPF 0', 'RTP/SAVPF 0 8')}a=rtpmap:8 PCMA/8000\r\n`;
export const held = (sdp: string): string => sdp.replaceAll(/a=(sendrecv|sendonly|recvonly)/g, 'a=inactive');

export class WirePage {
  private readonly inbox: FromGateway[] = [];
  private readonly gone = new AbortController();
  private sessionId = 1; // ours, one more with each call
  private seq = 0; // the last one of this call, either way: each begins at 1, as its peer connection is new

  private constructor(
    private readonly gateway: Gateway,
    readonly ssid: string,
    private readonly features: string,
  ) {
    void this.poll();
  }

  static async signIn(gateway: Gateway, { dn, features = [], credentials }: SignIn = {}): Promise<WirePage> {
    const id = dn ?? `anon${crypto.randomUUID().replaceAll('-', '')}`;
    const query = features.length > 0 ? `?features=${features.join(',')}` : '';
    const reply = await fetch(`${gateway.url}/sign_in${query}`, { method: 'POST', body: `${id}:${credentials ? 'secret' : 'undefined'}` });
    const text = await reply.text();
    const ssid = /^id=(\w+)/.exec(text)?.[1];
    if (!ssid) throw new Error(`sign-in as ${id}: ${reply.status} ${text}`);
    return new WirePage(gateway, ssid, features.length > 0 ? `&features=${features.join(',')}` : '');
  }

  /** Everything that has come and was not asked for yet. */
  get unread(): readonly FromGateway[] {
    return this.inbox;
  }

  async send(to: string, body: string): Promise<void> {
    if (body.startsWith('BYE')) this.endCall();
    const reply = await fetch(`${this.gateway.url}/message?from=${this.ssid}&to=${to}`, { method: 'POST', body });
    await reply.arrayBuffer();
  }

  /** Makes a call, or renews the one that is there. */
  offer(to: string, sdp = kPageOffer, more: Partial<Roap> = {}): Promise<void> {
    this.seq += 1;
    const ids = { offererSessionId: this.sessionId, answererSessionId: null, seq: this.seq, tiebreaker: 7 };
    return this.send(to, `RSMP ${JSON.stringify({ messageType: 'OFFER', sdp, Candidates: [], ...ids, ...more })}`);
  }

  /** Waits for an OFFER and answers it. */
  async answer(sdp = kPageOffer, more: Partial<Roap> = {}): Promise<Roap> {
    const { offer, peer } = await this.offered();
    await this.answerTo(offer, peer, sdp, more);
    return offer;
  }

  async offered(): Promise<{ offer: Roap; peer: string }> {
    const message = await this.next(/^SDP .*"OFFER"/s);
    return { offer: roapOf(message), peer: message.peer ?? '' };
  }

  answerTo(offer: Roap, peer: string, sdp = kPageOffer, more: Partial<Roap> = {}): Promise<void> {
    this.seq = Math.max(this.seq, offer.seq ?? 0);
    const ids = { offererSessionId: offer.offererSessionId, answererSessionId: this.sessionId, seq: offer.seq };
    return this.send(peer, `RSMP ${JSON.stringify({ messageType: 'ANSWER', sdp, Candidates: [], ...ids, ...more })}`);
  }

  async nextAnswer(): Promise<Roap> {
    return roapOf(await this.next(/^SDP .*"ANSWER"/s));
  }

  /** Waits for the ANSWER and confirms it. */
  async answered(to: string): Promise<Roap> {
    const answer = await this.nextAnswer();
    await this.send(to, `RSMP ${JSON.stringify({ ...answer, messageType: 'OK', sdp: undefined, Candidates: undefined })}`);
    return answer;
  }

  /** The first message that matches, whatever has come before it; it is taken out. */
  async next(pattern: RegExp): Promise<FromGateway> {
    const found = until(`the page gets ${pattern}`, () => {
      const index = this.inbox.findIndex(({ body }) => pattern.test(body));
      return index < 0 ? undefined : this.inbox.splice(index, 1)[0];
    });
    return found.catch((error: Error) => {
      throw new Error(`${error.message}; it has ${JSON.stringify(this.inbox.map(({ body }) => body.slice(0, 80)))}`);
    });
  }

  async error(): Promise<Roap> {
    return roapOf(await this.next(/errorType/));
  }

  async signOut(): Promise<void> {
    await fetch(`${this.gateway.url}/sign_out?id=${this.ssid}`).then((reply) => reply.arrayBuffer());
  }

  leave(): void {
    this.gone.abort();
  }

  private endCall(): void {
    this.seq = 0;
    this.sessionId += 1;
  }

  private async poll(): Promise<void> {
    while (!this.gone.signal.aborted) {
      try {
        const reply = await fetch(`${this.gateway.url}/wait?id=${this.ssid}${this.features}`, { signal: this.gone.signal });
        const body = await reply.text();
        if (reply.status !== 200) return;
        if (body.startsWith('BYE')) this.endCall();
        if (body) this.inbox.push({ body, peer: reply.headers.get('pragma') });
      } catch {
        return; // it left, or the gateway has ended
      }
    }
  }
}

const roapOf = ({ body }: FromGateway): Roap => JSON.parse(body.slice(body.indexOf('{'))) as Roap;
