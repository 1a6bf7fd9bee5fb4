// `rsmp.new-pc-support`: whether a page may renew its peer connection in a call. A page that keeps its connection does not notice.
import { describe, expect, it } from 'vitest';
import { waitForTone } from './support/browser';
import { kFieldNew, kFieldOld, kGrtc, type Contender } from './support/contenders';
import { hearEachOther } from './support/talk';
import { until } from './support/wait';
import { World } from './support/world';

const kPage = 600;
const kPhone = 1_000;

async function inCall(contender: Contender, support: 0 | 1, play: (world: World) => Promise<void>): Promise<void> {
  const world = await World.start({ tones: [kPage], contenders: [contender], configuration: { rsmp: { 'new-pc-support': support } } });
  try {
    await play(world);
  } finally {
    await world.stop();
  }
}

describe('rsmp.new-pc-support = 0', () => {
  it('renegotiates the connection that there is; a renewed one is an ICE restart to it and carries no media', () =>
    inCall(kGrtc, 0, async (world) => {
      const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
      await page.call('2001');
      await phone.answer();
      const bothHear = (): Promise<void> => hearEachOther(page, phone);
      await bothHear();
      await page.evaluate('client.setRenewSessionOnNeed(false)');
      await page.hold();
      await page.waitFor('onSessionHold');
      await phone.waitForSilence();
      await page.resume();
      await bothHear();
      await page.evaluate('client.setRenewSessionOnNeed(true)');
      await page.evaluate('session.makeOffer()');
      await until('ICE of the new connection', () => page.evaluate(`/connected|completed/.test(window.probe.connections[1]?.iceConnectionState)`));
      await phone.waitForSilence();
      expect(await page.evaluate('window.probe.connections[1].connectionState')).not.toBe('connected'); // DTLS meets the old session
      await phone.hangUp();
      await page.waitFor('onPeerClosing');
    }));

  it('is nothing to a client in the field that keeps its connection', () =>
    inCall(kFieldNew, 0, async (world) => {
      const page = await world.party({ dn: '1001' });
      await page.call('echo');
      await waitForTone(page.page, kPage);
      await page.hold();
      await page.waitFor('onSessionHold');
      await page.resume();
      await waitForTone(page.page, kPage);
      await page.hangUp();
    }));
});

describe('rsmp.new-pc-support = 1', () => {
  it.each([kGrtc, kFieldOld])('takes the renewed connection of $name: other ICE names, another fingerprint, one call', (contender) =>
    inCall(contender, 1, async (world) => {
      const page = await world.party({ dn: '1001' });
      await page.call('echo');
      await waitForTone(page.page, kPage);
      await page.evaluate(contender === kGrtc ? 'session.makeOffer()' : 'session.offerAgain()');
      await until('a second connection', async () => (await page.page.evaluate<number>('window.probe.connections.length')) === 2);
      await until('it is the one that talks', () => page.evaluate('session.isEstablished() && window.probe.connections[1].connectionState === "connected"'));
      const names = (pattern: string): Promise<string[]> =>
        page.page.evaluate<string[]>(`window.probe.connections.map((c) => ${pattern}.exec(c.localDescription.sdp)[1])`);
      expect(new Set(await names('/a=ice-ufrag:(\\S+)/')).size).toBe(2);
      expect(new Set(await names('/a=fingerprint:(.*)/')).size).toBe(2);
      await waitForTone(page.page, kPage);
      await page.hangUp();
    }));
});
