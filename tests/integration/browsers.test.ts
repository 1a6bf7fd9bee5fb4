// Page to page through the SIP server, with video; page to itself; page to the embedded server's echo: our own client in both
// browsers and the clients in the field, with each other.
import { describe, expect, it } from 'vitest';
import { videoIn, waitForFrames, waitForSilence, waitForTone } from './support/browser';
import { failure, kFieldNew, kFieldOld, kFirefox, kGrtc, type Contender } from './support/contenders';
import { RawClient } from './support/raw_client';
import { hearEachOther, talk } from './support/talk';
import { World, worldFor } from './support/world';

const kLeft = 600;
const kRight = 1_500;

const pairs: [string, string, Contender, Contender][] = (
  [
    [kGrtc, kGrtc],
    [kGrtc, kFirefox],
    [kFirefox, kFieldNew],
    [kFieldOld, kFieldNew],
    [kFieldNew, kFieldOld],
  ] as const
).map(([left, right]) => [left.name, right.name, left, right]);

describe.each(pairs)('%s and %s', (_left, _right, leftContender, rightContender) => {
  const world = worldFor({ tones: [kLeft, kRight], contenders: [leftContender, rightContender] });

  it('two pages call each other with audio and VP8 video', async () => {
    const [left, right] = await Promise.all([world.party({ dn: '1001', video: true }, 0), world.party({ dn: '1002', video: true }, 1)]);
    await left.call('1002');
    expect((await right.answer())['peer']).toContain('1001');
    await hearEachOther(left, right);
    const [seenLeft, seenRight] = await Promise.all([waitForFrames(left.page, 30), waitForFrames(right.page, 30)]);
    expect([seenLeft.codec, seenRight.codec]).toEqual(['video/VP8', 'video/VP8']);
    await right.hangUp();
    await left.waitFor('onPeerClosing');
    expect(world.browsers.flatMap((browser) => browser.errors)).toEqual([]);
  });

  it('an audio-only answer to a call with video keeps the audio', async () => {
    const [left, right] = await Promise.all([world.party({ dn: '1001', video: true }, 0), world.party({ dn: '1002' }, 1)]);
    await talk(left, '1002', right);
    expect((await videoIn(left.page)).frames).toBe(0);
    await left.hangUp();
    await right.waitFor('onPeerClosing');
  });

  it('a call to self brings the own tone and picture back', async () => {
    const left = await world.party({ video: true });
    await left.call('self');
    await waitForTone(left.page, kLeft);
    expect((await waitForFrames(left.page, 30)).codec).toBe('video/VP8');
    await left.hangUp();
    await waitForSilence(left.page);
  });

  it('a call to echo brings the own tone back through SIP', async () => {
    const left = await world.party({ dn: '1001' });
    await left.call('echo');
    await waitForTone(left.page, kLeft);
    await left.hangUp();
    await waitForSilence(left.page);
  });

  it('an anonymous page calls a DN', async () => {
    const [left, right] = await Promise.all([world.party({}, 0), world.party({ dn: '1002' }, 1)]);
    await talk(left, '1002', right);
    await right.hangUp();
    await left.waitFor('onPeerClosing');
  });

  it('an anonymous page cannot be called', async () => {
    const id = `anon${'0123456789abcdef'.repeat(2)}`;
    const guest = await RawClient.signIn(world.gateway, id);
    const left = await world.party({ dn: '1001' });
    for (const name of [id, guest.ssid]) {
      await left.call(name);
      expect(await left.waitFor('onGatewayError')).toMatchObject(failure(left.client, 404, 'REFUSED'));
      await left.waitFor('onPeerClosing');
    }
  });

  it('several calls one after the other leave nothing behind', async () => {
    const left = await world.party({ dn: '1001' });
    for (let round = 0; round < 4; ++round) {
      await left.call('echo');
      await waitForTone(left.page, kLeft);
      await left.hangUp();
      await waitForSilence(left.page);
    }
  });
});

describe('browsers with Kamailio', () => {
  it('a call between two pages goes through the SIP server', async () => {
    const world = await World.start({ server: 'kamailio', tones: [kLeft, kRight] });
    const [left, right] = await Promise.all([world.party({ dn: '1001' }, 0), world.party({ dn: '1002' }, 1)]);
    await talk(left, '1002', right);
    expect(world.kamailio?.program.log).toMatch(/INVITE from 1001 to 1002/);
    await right.hangUp();
    await left.waitFor('onPeerClosing');
    await world.stop();
  });
});
