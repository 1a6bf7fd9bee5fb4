// Two gateways behind HAProxy with a cookie, as deploy/haproxy.cfg has it: a page stays at the gateway where it has signed in, retries
// of the proxy do no harm, and a page whose gateway dies goes on at the other one.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestBrowser, waitForTone } from './support/browser';
import type { ClientKind } from './support/contenders';
import { FrameClient, type Closing } from './support/frames';
import { Front } from './support/front';
import { Gateway } from './support/gateway';
import { LoadBalancer } from './support/load_balancer';
import { MuteServer } from './support/mute_server';
import { freePorts } from './support/ports';
import { offerOf } from './support/raw_client';
import { until, within } from './support/wait';
import { WebParty } from './support/web_party';
import { WebServer } from './support/web_server';

const kLeft = 600;
const kRight = 1_500;

const sessionsAt = (gateway: Gateway): Promise<number> => gateway.metric('sessions');
const signInsAt = (gateway: Gateway): Promise<number> => gateway.metric('sign_ins_total');

/** A client of the wire that keeps its cookie, and no more. */
class CookieClient {
  cookie = '';
  ssid = '';
  constructor(private readonly url: string) {}

  async ask(path: string, body?: string, signal?: AbortSignal): Promise<{ status: number; body: string; peer: string | null }> {
    const options = { headers: { Cookie: this.cookie }, ...(body === undefined ? {} : { method: 'POST', body }), ...(signal ? { signal } : {}) };
    const reply = await within(`${path} is answered`, fetch(`${this.url}${path}`, options), 40_000);
    this.cookie = reply.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return { status: reply.status, body: await reply.text(), peer: reply.headers.get('pragma') };
  }
  async signIn(dn: string): Promise<this> {
    this.ssid = /^id=(\w+)$/m.exec((await this.ask(`/sign_in?${dn}`)).body)![1]!;
    return this;
  }
}

describe('two gateways behind a load balancer', () => {
  let server: Gateway; // only its SIP server
  let gateways: [Gateway, Gateway];
  let balancer: LoadBalancer;
  let web: WebServer;
  let browsers: TestBrowser[];
  const parties: WebParty[] = [];

  beforeAll(async () => {
    [server, web, ...browsers] = await Promise.all([
      Gateway.start(),
      WebServer.start(),
      TestBrowser.start({ tone: kLeft }),
      TestBrowser.start({ tone: kRight }),
    ]);
  });
  beforeEach(async () => {
    const sip = { sip: { server: `sip:${server.sipServer};transport=udp` } };
    gateways = await Promise.all([Gateway.start(sip), Gateway.start(sip)]);
    balancer = await LoadBalancer.start(gateways[0].http, gateways[1].http);
  });
  afterEach(async () => {
    await Promise.all(parties.splice(0).map((party) => party.stop()));
    await balancer?.stop();
    await Promise.all(gateways.map((gateway) => gateway.program.stop()));
  });
  afterAll(async () => {
    await Promise.all([...(browsers ?? []).map((browser) => browser.stop()), web?.stop()]);
    await server?.stop();
  });

  async function party(dn: string, browser: number, client: ClientKind = 'grtc'): Promise<WebParty> {
    const configuration = { webrtc_gateway: balancer.url };
    const made = await WebParty.open(browsers[browser]!, web, gateways[0], { dn, client, configuration });
    parties.push(made);
    await made.evaluate('enable(true, false)');
    await made.waitFor('onMediaSuccess');
    await made.signIn();
    return made;
  }

  async function talk(caller: WebParty, called: WebParty, dn: string): Promise<void> {
    await caller.call(dn);
    await called.waitFor('onIncomingCall');
    await called.accept();
    await Promise.all([waitForTone(called.page, caller.tone), waitForTone(caller.page, called.tone)]);
  }

  it.each<[string, ClientKind]>([
    ['our page', 'grtc'],
    ['a client in the field', 'field-old'],
    ['a newer client in the field', 'field-new'],
  ])('%s and our page, each at a gateway of its own, stay there and call each other', async (_, client) => {
    const caller = await party('1001', 0, client);
    const called = await party('1002', 1);
    const logs = (): string => gateways.map(({ program }) => program.log).join('\n');
    expect(await Promise.all(gateways.map(sessionsAt)), logs()).toEqual([1, 1]);
    const signIns = await Promise.all(gateways.map(signInsAt));
    await talk(caller, called, '1002');
    await caller.hangUp();
    await called.waitFor('onPeerClosing');
    await talk(called, caller, '1001');
    await called.hangUp();
    await caller.waitFor('onPeerClosing');
    expect(await Promise.all(gateways.map(sessionsAt))).toEqual([1, 1]);
    expect(await Promise.all(gateways.map(signInsAt)), logs()).toEqual(signIns);
  });

  it('a client of the wire is known by its cookie; without it, it is told to sign in again', async () => {
    const [first, second] = [await new CookieClient(balancer.url).signIn('1001'), await new CookieClient(balancer.url).signIn('1002')];
    expect(first.cookie).toMatch(/^CROSSPOINT=/);
    expect(second.cookie).not.toBe(first.cookie);
    for (const client of [first, second, first, second]) {
      await client.ask(`/message?from=${client.ssid}&to=1003`, 'nonsense');
      expect(await client.ask(`/wait?id=${client.ssid}`)).toMatchObject({ status: 200, body: expect.stringContaining('ERROR') as string, peer: 'gateway' });
    }
    const lost = second.cookie;
    second.cookie = first.cookie;
    expect((await second.ask(`/wait?id=${second.ssid}`)).status).toBe(404);
    expect((await second.ask(`/message?from=${second.ssid}&to=1003`, 'BYE')).status).toBe(200);
    // With a number: it has not been taken, and is to be sent again.
    expect((await second.ask(`/message?from=${second.ssid}&to=1003&n=1`, 'BYE')).status).toBe(404);
    const closing = await within(
      'the socket is closed',
      new Promise<Closing>((resolve, reject) => {
        const listener = { handleText: () => undefined, handleClose: resolve };
        FrameClient.open(`${balancer.url}/signalling?id=${second.ssid}`, listener, { headers: { Cookie: second.cookie } }).catch(reject);
      }),
    );
    expect(closing.code).toBe(4404);
    second.cookie = lost;
    expect((await second.ask(`/sign_out?id=${second.ssid}`)).status).toBe(200);
    expect(await Promise.all(gateways.map(sessionsAt))).toContain(0);
  });

  it('a sign-in that is given up is taken back behind the load balancer too', async () => {
    const mute = await MuteServer.start();
    const alone = await Gateway.start({ sip: { server: `sip:127.0.0.1:${mute.port};transport=udp`, 'options-interval': 0 } });
    const front = await LoadBalancer.start(alone.http, `127.0.0.1:${await freePorts()}`); // the other one is down
    const given = new AbortController();
    const asked = new CookieClient(front.url).ask('/sign_in?1001', undefined, given.signal).catch(() => 'given up');
    await until('it waits for the SIP server', async () => (await sessionsAt(alone)) === 1);
    given.abort();
    expect(await asked).toBe('given up');
    await until('it is taken back', async () => (await sessionsAt(alone)) === 0);
    await front.stop();
    await alone.program.stop();
    mute.stop();
  });

  it('a reply that is lost on the way to the load balancer makes it ask again: the phone rings once', async () => {
    const lossy = await Front.start(gateways[0]);
    const front = await LoadBalancer.start(new URL(lossy.url).host, `127.0.0.1:${await freePorts()}`);
    const client = await new CookieClient(front.url).signIn('1001');
    const called = await new CookieClient(gateways[1].url).signIn('1002');
    lossy.dropReplies(/^\/message/, 1);
    const offer = { messageType: 'OFFER', sdp: offerOf(0, 'PCMU/8000'), Candidates: [], offererSessionId: 1, answererSessionId: null, seq: 1, tiebreaker: 7 };
    expect((await client.ask(`/message?from=${client.ssid}&to=1002`, `RSMP ${JSON.stringify(offer)}`)).status).toBe(200);
    expect(lossy.sent('OFFER').length).toBe(2);
    expect((await called.ask(`/wait?id=${called.ssid}`)).body).toContain('OFFER');
    expect((await client.ask(`/message?from=${client.ssid}&to=1002`, 'BYE')).status).toBe(200);
    expect((await called.ask(`/wait?id=${called.ssid}`)).body).toMatch(/^BYE/);
    expect(await gateways[0].metric('calls_started_total')).toBe(1);
    await front.stop();
    await lossy.stop();
  });

  it('a page whose gateway is killed in a call signs in at the other one, and calls again', async () => {
    const page = await party('1001', 0);
    const [dead, alive] = (await sessionsAt(gateways[0])) === 1 ? gateways : ([gateways[1], gateways[0]] as const);
    await page.call('echo');
    await waitForTone(page.page, kLeft);
    dead.program.signal('SIGKILL');
    await page.waitFor('onReconnect', 30_000);
    expect(await sessionsAt(alive)).toBe(1);
    await page.waitFor('onPeerClosing', 40_000);
    await expectBothWays(page);
  });

  it('a page whose gateway has stopped to answer goes on at the other one', async () => {
    const page = await party('1001', 0);
    const [stopped, alive] = (await sessionsAt(gateways[0])) === 1 ? gateways : ([gateways[1], gateways[0]] as const);
    stopped.program.signal('SIGSTOP'); // the load balancer's checks find it
    await page.waitFor('onReconnect', 30_000);
    expect(await sessionsAt(alive)).toBe(1);
    await expectBothWays(page);
    stopped.program.signal('SIGKILL');
  });

  /** It calls somebody, and is called. */
  async function expectBothWays(page: WebParty): Promise<void> {
    const other = await party('1002', 1);
    await talk(page, other, '1002');
    await page.hangUp();
    await other.waitFor('onPeerClosing');
    await page.forgetEvents();
    await talk(other, page, '1001');
    await other.hangUp();
    await page.waitFor('onPeerClosing');
  }
});
