// Messages between two pages in a call are neither lost nor doubled nor reordered, while a proxy between each of them and the gateway
// cuts connections at random bytes, holds bytes back and repeats requests (signalling, section 3).
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CountingClient, type Way } from './support/counting_client';
import { Gateway } from './support/gateway';
import { offerOf, RawClient } from './support/raw_client';
import { seeded, UnkindProxy } from './support/unkind_proxy';
import { until } from './support/wait';

const kMessages = 1_000; // each way
const kAheadMax = 40; // of a call 64 INFOs may wait for their turn on the SIP side; what is above is not sent

interface Roap {
  readonly messageType: string;
  readonly sdp: string;
  readonly seq: number;
  readonly offererSessionId: unknown;
  readonly tiebreaker?: number;
}

describe('a network that cuts, delays and repeats', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.start();
  });
  afterAll(() => gateway?.stop());

  /** Two pages in a call, without media: they stay in it for longer than a test takes. */
  async function inCall(from: string, to: string): Promise<[RawClient, RawClient]> {
    const [caller, called] = await Promise.all([RawClient.signIn(gateway, from), RawClient.signIn(gateway, to)]);
    await caller.offer(to, offerOf(0, 'PCMU/8000'));
    const { body } = await called.next();
    const offer = JSON.parse(body.slice(body.indexOf('{'))) as Roap;
    const mid = /a=mid:(\S+)/.exec(offer.sdp)?.[1] ?? '0';
    const sdp = offerOf(0, 'PCMU/8000').replace('actpass', 'active').replace('BUNDLE 0', `BUNDLE ${mid}`).replace('mid:0', `mid:${mid}`);
    const { seq, offererSessionId, tiebreaker } = offer;
    const answer = { messageType: 'ANSWER', sdp, Candidates: [], offererSessionId, answererSessionId: 2, seq, tiebreaker };
    await called.send(from, `RSMP ${JSON.stringify(answer)}`);
    for (let reply = await caller.next(); !reply.body.includes('ANSWER'); reply = await caller.next());
    return [caller, called];
  }

  const numbered = (client: CountingClient): number[] =>
    client.received.filter((body) => body.startsWith('INFO-PEER i=')).map((body) => Number(body.slice('INFO-PEER i='.length)));

  async function exchange(way: Way, seed: number): Promise<void> {
    const names = [`71${seed}`, `72${seed}`] as const;
    const [caller, called] = await inCall(...names);
    const proxies = await Promise.all([seed, seed + 1_000].map((each) => UnkindProxy.start(gateway.http, each)));
    const clients = [caller, called].map(
      ({ ssid }, i) => new CountingClient(() => `http://127.0.0.1:${proxies[i]!.port}`, ssid, way, seeded(seed + i)),
    );
    clients.forEach((client) => client.start());
    const sendAll = async (i: number): Promise<void> => {
      const [sender, receiver] = [clients[i]!, clients[1 - i]!];
      for (let k = 1; k <= kMessages; ++k) {
        if (k > kAheadMax) await until(`message ${k - kAheadMax} arrives`, () => numbered(receiver).length >= k - kAheadMax, 30_000);
        await sender.send(names[1 - i]!, `INFO-PEER i=${k}`);
      }
    };
    await Promise.all([sendAll(0), sendAll(1)]);
    const expected = Array.from({ length: kMessages }, (_, k) => k + 1);
    for (const [i, client] of clients.entries()) {
      await until('the last message arrives', () => numbered(client).length >= kMessages, 20_000).catch((error: Error) => {
        const have = new Set(numbered(client));
        const missing = expected.filter((k) => !have.has(k)).join();
        const told = clients[1 - i]!.received.filter((body) => !body.startsWith('INFO-PEER ')).join(' | ');
        throw new Error(`${error.message}; not ${missing}; ${client.report}; its sender was told: ${told}`);
      });
    }
    await Promise.all(clients.map((client) => client.stop()));
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    for (const client of clients) expect(numbered(client)).toEqual(expected);
    for (const proxy of proxies) expect(proxy.cuts).toBeGreaterThan(20); // otherwise nothing was shown
    const sum = (of: (client: CountingClient) => number): number => clients.reduce((all, client) => all + of(client), 0);
    if (way !== 'poll') expect(sum(({ seen }) => seen.sockets)).toBeGreaterThan(20);
    if (way === 'poll') expect(proxies.reduce((all, { repeats }) => all + repeats, 0)).toBeGreaterThan(20);
    await RawClient.request(gateway, `/sign_out?id=${caller.ssid}`);
    await RawClient.request(gateway, `/sign_out?id=${called.ssid}`);
  }

  it('by hanging GET with acknowledgements', () => exchange('poll', 1), 45_000);
  it('by WebSocket', () => exchange('socket', 2), 45_000);
  it('switching between the two at any moment', () => exchange('switching', 3), 45_000);
});
