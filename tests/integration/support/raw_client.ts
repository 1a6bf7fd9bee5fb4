// The wire as a page's script would use it, without a page: for bodies that no page sends.
import type { Gateway } from './gateway';
import { within } from './wait';

export interface Reply {
  status: number;
  body: string;
  peer: string | null; // the Pragma header
}

export class RawClient {
  private constructor(
    private readonly gateway: Gateway,
    readonly ssid: string,
  ) {}

  static request(gateway: Gateway, path: string, body?: string): Promise<Reply> {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8', Origin: 'http://localhost:8000' };
    const asked = fetch(`${gateway.url}${path}`, body === undefined ? { headers } : { method: 'POST', body, headers }).then(async (reply) => ({
      status: reply.status,
      body: await reply.text(),
      peer: reply.headers.get('pragma'),
    }));
    return within(`${path} is answered`, asked, 40_000);
  }

  /** Signs in with this id, or anonymously. */
  static async signIn(gateway: Gateway, id = `anon${crypto.randomUUID().replaceAll('-', '')}`): Promise<RawClient> {
    const { status, body } = await RawClient.request(gateway, `/sign_in?${id}`);
    const ssid = /^id=(\w+)$/m.exec(body)?.[1];
    if (status !== 200 || !ssid) throw new Error(`sign-in as ${id}: ${status} ${body}`);
    return new RawClient(gateway, ssid);
  }

  send(to: string, body: string): Promise<Reply> {
    return RawClient.request(this.gateway, `/message?from=${this.ssid}&to=${to}`, body);
  }

  offer(to: string, sdp: string, seq = 1): Promise<Reply> {
    const message = { messageType: 'OFFER', sdp, Candidates: [], offererSessionId: 1, answererSessionId: null, seq, tiebreaker: 7 };
    return this.send(to, `RSMP ${JSON.stringify(message)}`);
  }

  /** The next message for this session; empty replies are passed over. */
  async next(): Promise<Reply> {
    for (;;) {
      const reply = await RawClient.request(this.gateway, `/wait?id=${this.ssid}`);
      if (reply.status !== 200 || reply.body !== '') return reply;
    }
  }

  /** The next message that says why something failed. */
  async nextError(): Promise<{ errorType: string; sipStatus?: number; reason?: string }> {
    for (;;) {
      const reply = await this.next();
      if (reply.status !== 200) throw new Error(`/wait: ${reply.status} ${reply.body}`);
      if (reply.body.includes('errorType')) return JSON.parse(reply.body.slice(reply.body.indexOf('{'))) as { errorType: string };
    }
  }
}

const kSession = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n';

/** An offer of one section, as Chromium writes it, with this payload and codec. */
export function offerOf(payload: number, codec: string): string {
  return `${kSession}a=group:BUNDLE 0\r\nm=audio 9 RTP/SAVPF ${payload}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r
a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}\r
a=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\na=rtpmap:${payload} ${codec}\r\n`.replaceAll(/(?<!\r)\n/g, '\r\n');
}

/** A session description without a single media section. */
export const kOfferOfNothing = kSession;
