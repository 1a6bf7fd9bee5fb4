// Each codec that is passed through, forced at the phone; none in common; digits.
import { describe, expect, it } from 'vitest';
import { audioCodecIn } from './support/browser';
import { failure, kContenders, kGrtc } from './support/contenders';
import { talk } from './support/talk';
import { until } from './support/wait';
import { worldFor } from './support/world';

const kPage = 600;
const kPhone = 1_000;

describe.each(kContenders)('codecs and digits, $name', (contender) => {
  const world = worldFor({ tones: [kPage], contenders: [contender] });

  const codecs = [
    ['opus/48000/2', 'audio/opus'],
    ['PCMA/8000/1', 'audio/PCMA'],
    ['PCMU/8000/1', 'audio/PCMU'], // with each client in phone_calls.test.ts
  ] as const;
  it.each(contender === kGrtc ? codecs : codecs.slice(0, 1))('%s both ways, called and calling', async (name, mime) => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone, { codecs: [name] })]);
    await talk(page, '2001', phone);
    expect(await audioCodecIn(page.page)).toBe(mime);
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');

    await talk(phone, '1001', page);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('page calls a phone without a common codec: ends at once, with the reason', async () => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone, { codecs: ['G722/16000/1'] })]);
    // Browsers speak G722 too; this page does not, as with any codec that only one side has.
    await page.page.evaluate(() => {
      const native = RTCPeerConnection.prototype.createOffer as (...args: unknown[]) => Promise<RTCSessionDescriptionInit>;
      RTCPeerConnection.prototype.createOffer = async function (this: RTCPeerConnection, ...args: unknown[]) {
        const offer = await native.apply(this, args);
        return { type: 'offer', sdp: offer.sdp!.replace(/^(m=audio .*) 9( |$)/m, '$1$2').replace(/^a=rtpmap:9 .*\r\n/m, '') };
      } as never;
    });
    await page.call('2001');
    const error = await page.waitFor('onGatewayError');
    expect(error).toMatchObject(failure(page.client, 488, 'FAILED'));
    if (page.client === 'grtc') expect(String(error['reason'])).not.toBe('');
    await page.waitFor('onPeerClosing');
    expect(phone.seen('CALL_ESTABLISHED')).toBe(false);
  });

  it('a phone without a common codec calls a page: 488', async () => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone, { codecs: ['G722/16000/1'] })]);
    await phone.dial('1001');
    expect((await phone.waitFor('CALL_CLOSED')).param).toMatch(/^488/);
    expect((await page.events()).map((event) => event.name)).not.toContain('onRemoteStream');
  });

  const dialled = contender.client === 'grtc' ? ['PCMU/8000/1', 'opus/48000/2'] : ['PCMU/8000/1'];
  it.each(dialled)('digits from the page reach a phone that speaks %s', async (name) => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone, { codecs: [name] })]);
    await page.call('2001');
    await phone.answer();
    await phone.waitForTone(kPage);
    expect(await page.evaluate(`session.sendDTMF('15#A', { duration: 100, tonegap: 70 })`)).toBe(0);
    const digits = (): string => phone.events.filter((event) => event.type === 'CALL_DTMF_START').map((event) => event.param).join('');
    await until('four digits at the phone', () => digits() === '15#A').catch((error: Error) => {
      throw new Error(`${error.message}; it got ${digits()}`);
    });
    await phone.waitForTone(kPage);
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });
});
