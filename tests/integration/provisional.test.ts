// What is done while a call rings: with our own client in a browser that understands provisional answers, ICE and DTLS.
import { describe, expect, it } from 'vitest';
import { videoIn, waitForSilence, type TestPage } from './support/browser';
import { kFieldNew, kFirefox, kGrtc } from './support/contenders';
import { hearEachOther, talk } from './support/talk';
import { until } from './support/wait';
import { World, worldFor } from './support/world';

const kLeft = 600;
const kRight = 1_500;

async function isConnected(page: TestPage): Promise<boolean> {
  const states = await page.evaluate<string[]>('window.probe.states()');
  return states.some((state) => state.includes('connected') && !state.includes('disconnected'));
}

describe('a call between two pages of our own client', () => {
  const world = worldFor({ tones: [kLeft, kRight] });

  const pages = (options: object) => Promise.all([world.party({ dn: '1001', ...options }, 0), world.party({ dn: '1002', ...options }, 1)]);

  it('is connected on both sides while it rings, tells of no stream yet, and is silent until it is answered', async () => {
    const [left, right] = await pages({ video: true });
    await left.call('1002');
    await right.waitFor('onIncomingCall');
    await until('both are connected', async () => (await isConnected(left.page)) && (await isConnected(right.page)));
    for (const party of [left, right]) {
      expect((await party.events()).map(({ name }) => name)).not.toContain('onRemoteStream');
    }
    expect(await left.evaluate('session.isEstablished()')).toBe(false);
    await waitForSilence(left.page);
    await right.accept();
    await hearEachOther(left, right);
    await Promise.all([left.waitFor('onRemoteStream'), right.waitFor('onRemoteStream')]);
    await left.waitUntilEstablished();
    await left.hangUp();
    await right.waitFor('onPeerClosing');
  });

  it('accepted with audio only has no video, although both could have been', async () => {
    const [left, right] = await pages({ video: true });
    await left.call('1002');
    await right.waitFor('onIncomingCall');
    await until('the callee is connected', () => isConnected(right.page));
    await right.evaluate('accept(true, false)');
    await hearEachOther(left, right);
    expect((await videoIn(left.page)).frames).toBe(0);
    expect(await right.evaluate('session.hasVideoEnabled()')).toBe(false);
    expect(await left.evaluate('session.hasVideoEnabled()')).toBe(false);
    await right.hangUp();
    await left.waitFor('onPeerClosing');
  });

  it('rejected while it is connected says why, and leaves no connection', async () => {
    const [left, right] = await pages({});
    await left.call('1002');
    await right.waitFor('onIncomingCall');
    await until('both are connected', async () => (await isConnected(left.page)) && (await isConnected(right.page)));
    await right.reject();
    expect(await left.waitFor('onGatewayError')).toMatchObject({ error: 'REFUSED', sipStatus: expect.any(Number) });
    expect(await left.waitFor('onPeerClosing')).toMatchObject({ peer: '1002', error: 'REFUSED' });
    for (const { page } of [left, right]) await until('nothing is left', async () => !(await isConnected(page)));
  });

  it('given up by the caller leaves no connection either', async () => {
    const [left, right] = await pages({});
    await left.call('1002');
    await right.waitFor('onIncomingCall');
    await until('the callee is connected', () => isConnected(right.page));
    await left.hangUp();
    await right.waitFor('onPeerClosing');
    await until('nothing is left', async () => !(await isConnected(right.page)));
  });
});

describe.each([kFirefox, kFieldNew])('a call from and to $name, which understands no provisional answer', (contender) => {
  it('works all the same', async () => {
    const world = await World.start({ tones: [kLeft, kRight], contenders: [contender, kGrtc] });
    const [left, right] = await Promise.all([world.party({ dn: '1001' }, 0), world.party({ dn: '1002' }, 1)]);
    await left.call('1002');
    await right.waitFor('onIncomingCall');
    await until('the callee is connected', () => isConnected(right.page));
    expect(await isConnected(left.page)).toBe(false);
    await right.accept();
    await hearEachOther(left, right);
    await left.hangUp();
    await right.waitFor('onPeerClosing');
    await talk(right, '1001', left);
    await world.clear();
    await world.stop();
  });
});
