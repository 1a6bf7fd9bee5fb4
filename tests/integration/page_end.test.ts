// A page that goes without a word of its own: closed, reloaded, left. grtc signs it out, so that nobody waits for it.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitForTone } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { until } from './support/wait';
import { World } from './support/world';

const kPage = 600;
const kPhone = 1_000;
const kSoon = 5_000; // the gateway waits a minute for a page that has merely become silent

describe.each([kGrtc, kFirefox])('a page that goes, $browser', (contender) => {
  let world: World;

  beforeAll(async () => {
    world = await World.start({ tones: [kPage], contenders: [contender] });
  });
  afterEach(async () => {
    await world?.clear();
  });
  afterAll(async () => {
    await world?.stop();
  });

  it.each([
    ['reloaded', 'location.reload()'],
    ['left', `location.assign('about:blank')`],
  ])('%s in a call: the phone is hung up, and the DN is free', async (_, leave) => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await page.call('2001');
    await phone.waitFor('CALL_INCOMING');
    await phone.accept();
    await Promise.all([phone.waitForTone(kPage), waitForTone(page.page, kPhone)]);
    await page.page.evaluate(`void setTimeout(() => ${leave})`);
    await phone.waitFor('CALL_CLOSED', kSoon);
    await until('the gateway has no session', async () => (await world.gateway.metric('sessions')) === 0, kSoon);
    await phone.dial('1001');
    expect((await phone.waitFor('CALL_CLOSED', kSoon)).param).toMatch(/^(404|480)/);
  });

  it('reloaded while a call rings: the caller hears of it at once', async () => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await phone.dial('1001');
    await page.waitFor('onIncomingCall');
    await page.page.evaluate('void setTimeout(() => location.reload())');
    expect((await phone.waitFor('CALL_CLOSED', kSoon)).param).toMatch(/^480/);
  });
});
