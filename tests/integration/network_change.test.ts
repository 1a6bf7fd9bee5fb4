// Networks that fail and change under a page: ICE is restarted, the signalling goes on, no message is lost or doubled.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitForTone, type TestPage } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { CuttingProxy } from './support/cutting_proxy';
import { Front } from './support/front';
import { Gateway } from './support/gateway';
import { freePorts } from './support/ports';
import { talk } from './support/talk';
import { until } from './support/wait';
import type { WebParty } from './support/web_party';
import { World } from './support/world';

const kLeft = 600;
const kRight = 1_500;

describe.each([kGrtc, kFirefox])('$name', (contender) => {
  let world: World;
  let proxies: CuttingProxy[] = [];

  beforeAll(async () => {
    world = await World.start({ tones: [kLeft, kRight], contenders: [contender, kGrtc] });
  });
  afterEach(async () => {
    await world?.clear();
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });
  afterAll(() => world?.stop());

  const offers = (): number => world.browsers[0]!.console.filter((line) => /Sending an OFFER/.test(line)).length;
  const changeNetwork = (page: TestPage): Promise<unknown> => page.evaluate("void window.dispatchEvent(new Event('online'))");

  async function throughProxy(dn: string): Promise<[WebParty, CuttingProxy]> {
    const proxy = await CuttingProxy.start(world.gateway.http);
    proxies.push(proxy);
    return [await world.party({ dn, configuration: { webrtc_gateway: proxy.url, polling_timeout: 10_000 } }), proxy];
  }

  it('another network: ICE is restarted once, and the far end is heard again', async () => {
    const party = await world.party({ dn: '1001' });
    await party.call('echo');
    await waitForTone(party.page, kLeft);
    const before = offers();
    await changeNetwork(party.page);
    await until('an offer restarts ICE', () => offers() === before + 1);
    await party.waitUntilEstablished();
    await waitForTone(party.page, kLeft);
    expect(offers()).toBe(before + 1);
    const names = (await party.events()).map(({ name }) => name);
    expect(names).not.toContain('onPeerClosing');
    expect(names).not.toContain('onWebrtcError');
  });

  it('the way to the gateway is cut for a while in a call: the call goes on and can be ended afterwards', async () => {
    const [party, proxy] = await throughProxy('1001');
    const other = await world.party({ dn: '1002' }, 1);
    await party.call('1002');
    await other.answer();
    await waitForTone(party.page, kRight);
    proxy.setDown(true);
    await party.waitFor('onConnectionError');
    await party.waitFor('onConnectionError');
    await waitForTone(party.page, kRight);
    proxy.setDown(false);
    await party.hangUp();
    await other.waitFor('onPeerClosing', 20_000);
  });

  it('messages go over a WebSocket where there is one, and by hanging GET where a proxy knows none', async () => {
    const sockets = (): Promise<number> => world.gateway.metric('http_sockets');
    await until('those of pages before are closed', async () => (await sockets()) === 0);
    const direct = await world.party({ dn: '1001' });
    await until('a WebSocket is open', async () => (await sockets()) === 1);
    const before = await world.gateway.metric('http_socket_messages_total');
    await direct.call('echo');
    await waitForTone(direct.page, kLeft);
    expect(await world.gateway.metric('http_socket_messages_total')).toBeGreaterThan(before);
    await world.clear();
    await until('it is closed', async () => (await sockets()) === 0);

    const front = await Front.start(world.gateway);
    const polling = await world.party({ dn: '1001', configuration: { webrtc_gateway: front.url } });
    await polling.call('echo');
    await waitForTone(polling.page, kLeft);
    expect(await sockets()).toBe(0);
    expect(front.askedFor(/^\/signalling/).length).toBeGreaterThan(0);
    expect((await polling.events()).map(({ name }) => name)).not.toContain('onConnectionError');
    await world.clear();
    await front.stop();
  });

  it('connections that are cut all the time lose no message and double none', async () => {
    const [party, proxy] = await throughProxy('1001');
    const other = await world.party({ dn: '1002' }, 1);
    await talk(other, '1001', party);
    await party.forgetEvents();
    proxy.cutEvery(150);
    const count = 60;
    for (let n = 1; n <= count; n += 1) await other.evaluate(`session.sendInfo({ n: ${n} }, false)`);
    const received = async (): Promise<number[]> =>
      (await party.events()).filter(({ name }) => name === 'onInfoFromPeer').map(({ data }) => Number(data?.['n']));
    await until('all have come', async () => (await received()).length >= count, 40_000);
    await until('enough was cut', () => proxy.cuts >= 6, 40_000);
    proxy.cutEvery(null);
    expect(await received()).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    await party.hangUp();
    await other.waitFor('onPeerClosing', 20_000);
  });
});

describe('a gateway that is started again', () => {
  it('has its page signed in again by itself, which can be called', async () => {
    const port = await freePorts();
    const server = await Gateway.start();
    const configuration = { rsmp: { 'http-port': port }, sip: { server: `sip:${server.sipServer};transport=udp` } };
    const world = await World.start({ tones: [kLeft, kRight], configuration });
    const party = await world.party({ dn: '1001' });
    await world.gateway.stop();
    await party.waitFor('onConnectionError');
    const again = await Gateway.start(configuration);
    expect(await party.waitFor('onReconnect')).toMatchObject({ resumed: false });
    const other = await world.party({ dn: '1002' }, 1);
    await talk(other, '1001', party);
    await world.clear();
    await again.stop();
    await world.stop();
    await server.stop();
  });

  it('that stood still for a while: ICE comes back by itself, and the page hears of it', async () => {
    const world = await World.start({ tones: [kLeft] });
    const party = await world.party({ dn: '1001' });
    await party.call('echo');
    await waitForTone(party.page, kLeft);
    world.gateway.program.signal('SIGSTOP');
    expect(await party.waitFor('onIceDisconnected', 40_000)).toMatchObject({ status: 'disconnected' });
    world.gateway.program.signal('SIGCONT');
    await waitForTone(party.page, kLeft, 40_000);
    await party.waitUntilEstablished();
    await party.hangUp();
    await world.stop();
  });
});
