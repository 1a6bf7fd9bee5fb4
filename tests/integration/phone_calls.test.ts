// A page and a SIP phone call each other, through the embedded SIP server and through Kamailio with digest authentication: pages of
// our own client in Chromium and Firefox, and of the clients in the field.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { audioCodecIn, waitForSilence } from './support/browser';
import { failure, kContenders, kFieldOld, kGrtc, type Contender } from './support/contenders';
import { hearEachOther } from './support/talk';
import type { WebParty } from './support/web_party';
import { World, type WorldOptions } from './support/world';

const kPage = 600; // Hz
const kPhone = 1_000;

const kUdp: WorldOptions = { server: 'kamailio' };
const kTcp: WorldOptions = { server: 'kamailio', transport: 'tcp' };
const scenarios: [string, string, Contender, WorldOptions][] = [
  ...kContenders.map((contender): [string, string, Contender, WorldOptions] => [contender.name, 'the embedded SIP server', contender, {}]),
  ...[kGrtc, kFieldOld].map((contender): [string, string, Contender, WorldOptions] => [
    contender.name,
    'Kamailio with digest authentication, UDP',
    contender,
    kUdp,
  ]),
  [kGrtc.name, 'Kamailio with digest authentication, TCP', kGrtc, kTcp],
];

describe.each(scenarios)('%s and a phone through %s', (_name, _server, contender, options) => {
  let world: World;
  let page: WebParty;
  let phone: Phone;

  beforeAll(async () => {
    world = await World.start({ ...options, tones: [kPage], contenders: [contender] });
    [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
  });
  afterEach(async () => {
    phone?.forgetEvents();
    await page?.forgetEvents();
  });
  afterAll(() => world?.stop());

  const pageCallsPhone = async (): Promise<void> => {
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
  };
  const phoneCallsPage = async (): Promise<void> => {
    await phone.dial('1001');
    expect((await page.answer())['peer']).toContain('2001');
    await phone.waitFor('CALL_ESTABLISHED');
  };
  const bothHear = (): Promise<void> => hearEachOther(page, phone);

  it('page calls phone, both hear each other, the page hangs up', async () => {
    await pageCallsPhone();
    await bothHear();
    expect(await audioCodecIn(page.page)).toBe('audio/PCMU');
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
    await waitForSilence(page.page);
  });

  it('page calls phone, the phone hangs up', async () => {
    await pageCallsPhone();
    await bothHear();
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('phone calls page, both hear each other, the page hangs up', async () => {
    await phoneCallsPage();
    await bothHear();
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });

  it('phone calls page, the phone hangs up', async () => {
    await phoneCallsPage();
    await bothHear();
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('the page cancels while the phone rings', async () => {
    await page.call('2001');
    await phone.waitFor('CALL_INCOMING');
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
    expect(phone.seen('CALL_ESTABLISHED')).toBe(false);
  });

  it('the phone cancels while the page rings', async () => {
    await phone.dial('1001');
    await page.waitFor('onIncomingCall');
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('the phone rejects, and the page is told why', async () => {
    await page.call('2001');
    await phone.waitFor('CALL_INCOMING');
    await phone.hangUp();
    expect(await page.waitFor('onGatewayError')).toMatchObject(failure(page.client, 486, 'REFUSED'));
    await page.waitFor('onPeerClosing');
  });

  it('the page rejects, and the phone is told why', async () => {
    await phone.dial('1001');
    await page.waitFor('onIncomingCall');
    await page.reject();
    expect((await phone.waitFor('CALL_CLOSED')).param).toMatch(/^(486|603)/);
  });

  it('a number that nobody has: the page is told why', async () => {
    await page.call('2999');
    expect(await page.waitFor('onGatewayError')).toMatchObject(failure(page.client, 404, 'REFUSED'));
    await page.waitFor('onPeerClosing');
  });

  it.runIf(contender.client === 'grtc')('the page hears that the phone rings', async () => {
    await page.call('2001');
    await phone.waitFor('CALL_INCOMING');
    expect(await page.waitFor('onProgress')).toMatchObject({ state: 'ringing' });
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });

  it('a second caller of a page in a call gets busy, and the call goes on', async () => {
    const second = await world.phone('2002', 1_700);
    await phoneCallsPage();
    await second.dial('1001');
    expect((await second.waitFor('CALL_CLOSED')).param).toMatch(/^486/);
    await bothHear();
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });

  it('a page that calls a busy phone is told so', async () => {
    const busy = await world.phone('2003', 1_700, { callsMax: 1 });
    await busy.dial('2001');
    await phone.waitFor('CALL_INCOMING');
    await page.call('2003');
    expect(await page.waitFor('onGatewayError')).toMatchObject(failure(page.client, 486, 'REFUSED'));
    await page.waitFor('onPeerClosing');
    await busy.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });
});
