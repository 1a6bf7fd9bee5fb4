// Calls that fork at Kamailio, and transfers with phones: what sipp/*.test.ts shows by script, here with the SIP that Kamailio and baresip
// speak, and with sound. Hold and resume by a phone: hold.test.ts.
//
// Not with baresip 1.0: an attended transfer (its menu's `transfer` is blind, and neither it nor its SIP library has the word Replaces),
// and a call that goes on after the phone's transfer has failed (it hangs up itself: "menu: transfer failure", then BYE).
import { beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { hearEachOther } from './support/talk';
import { hears, hearsTheEnd } from './support/told';
import { until } from './support/wait';
import type { WebParty } from './support/web_party';
import { worldFor } from './support/world';

const kPage = 600;
const kFirst = 1_000;
const kSecond = 1_700;

const world = worldFor({ server: 'kamailio', contactsMax: 3, tones: [kPage] });
let page: WebParty;

describe('a call that Kamailio forks to two phones', () => {
  let first: Phone;
  let second: Phone;

  async function bothRing(): Promise<void> {
    page = await world.party({ dn: '1001' });
    first = await world.phone('2001', kFirst);
    second = await world.phone('2001', kSecond);
    await page.call('2001');
    await Promise.all([first.waitFor('CALL_INCOMING'), second.waitFor('CALL_INCOMING')]);
    await page.waitFor('onProgress');
  }

  it.each(['first', 'second'])('both ring; the %s answers, the other one stops ringing; the page talks to it', async (who) => {
    await bothRing();
    const [answering, other] = who === 'first' ? [first, second] : [second, first];
    await answering.accept();
    await Promise.all([page.waitUntilEstablished(), other.waitFor('CALL_CLOSED')]);
    await hearEachOther(page, answering);
    expect(other.seen('CALL_ESTABLISHED')).toBe(false);
    await page.hangUp();
    await answering.waitFor('CALL_CLOSED');
  });

  it('one declines, and the other one can still answer', async () => {
    await bothRing();
    await first.hangUp();
    await first.waitFor('CALL_CLOSED');
    await second.accept();
    await page.waitUntilEstablished();
    await hearEachOther(page, second);
    await second.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('both decline, and the page is told so', async () => {
    await bothRing();
    await first.hangUp();
    await second.hangUp();
    await hears(page, 'REFUSED', 486, expect.stringMatching(/^The called party is busy/));
  });

  it('the page cancels, and both stop ringing', async () => {
    await bothRing();
    await page.hangUp();
    await Promise.all([first.waitFor('CALL_CLOSED'), second.waitFor('CALL_CLOSED')]);
  });
});

describe('a number that is a page and a phone', () => {
  let caller: Phone;
  let beside: Phone;

  beforeEach(async () => {
    page = await world.party({ dn: '1001' });
    [beside, caller] = await Promise.all([world.phone('1001', kSecond), world.phone('2002', kFirst)]);
    await caller.dial('1001');
    await Promise.all([page.waitFor('onIncomingCall'), beside.waitFor('CALL_INCOMING')]);
  });

  it('the page answers, and the phone stops ringing', async () => {
    await page.accept();
    await Promise.all([caller.waitFor('CALL_ESTABLISHED'), beside.waitFor('CALL_CLOSED')]);
    await hearEachOther(page, caller);
    await caller.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('the phone answers, and the page stops ringing', async () => {
    await beside.accept();
    await Promise.all([caller.waitFor('CALL_ESTABLISHED'), page.waitFor('onPeerClosing')]);
    await hearEachOther(caller, beside);
    expect((await page.events()).map(({ name }) => name)).not.toContain('onGatewayError');
  });
});

describe('transfers', () => {
  let phone: Phone;
  let target: Phone;

  beforeEach(async () => {
    page = await world.party({ dn: '1001' });
    [phone, target] = await Promise.all([world.phone('2001', kFirst), world.phone('2002', kSecond)]);
  });
  const pageCalls = async (): Promise<void> => {
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
  };
  const phoneCalls = async (): Promise<void> => {
    await phone.dial('1001');
    await page.answer();
    await phone.waitFor('CALL_ESTABLISHED');
  };

  it.each([
    ['was called', pageCalls],
    ['has called', phoneCalls],
  ])('a phone that %s transfers the page: it talks to the other phone, and need do nothing', async (_who, talk) => {
    await talk();
    await hearEachOther(page, phone);
    await phone.command('transfer', target.uri);
    await target.answer();
    await Promise.all([target.waitFor('CALL_ESTABLISHED'), phone.waitFor('CALL_CLOSED')]);
    await hearEachOther(page, target);
    expect((await page.events()).map(({ name }) => name)).not.toContain('onPeerClosing');
    await page.hangUp();
    await target.waitFor('CALL_CLOSED');
  });

  it('a phone transfers the page to a phone that declines: it is told so, and says goodbye', async () => {
    await pageCalls();
    await phone.command('transfer', target.uri);
    await target.waitFor('CALL_INCOMING');
    await target.hangUp();
    expect((await phone.waitFor('TRANSFER_FAILED')).param).toMatch(/^486/);
    await hearsTheEnd(page);
  });

  it.each([
    ['was called', pageCalls],
    ['has called', phoneCalls],
  ])('the page transfers a phone that %s: the two phones talk, and its call ends', async (_who, talk) => {
    await talk();
    await hearEachOther(page, phone);
    await page.evaluate("session.transferCall('2002')");
    await target.answer();
    await until('the page hears that it is done', async () => (await page.waitFor('onTransfer'))['state'] === 'transferred');
    await page.waitFor('onPeerClosing');
    await hearEachOther(phone, target);
    await phone.hangUp();
    await target.waitFor('CALL_CLOSED');
  });
});
