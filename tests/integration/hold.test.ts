// Hold and resume, from the page and from the phone, with each client: the tones stop and come back, and nothing else changes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { waitForSilence } from './support/browser';
import { kContenders, kFieldNew, kFirefox, kGrtc, type Contender } from './support/contenders';
import { hearEachOther } from './support/talk';
import type { WebParty } from './support/web_party';
import { until, within } from './support/wait';
import { World, type ServerKind } from './support/world';

const kPage = 600;
const kPhone = 1_000;

// Longer than consent (RFC 7675: 30 s) and than a session without a poll (60 s). CROSSPOINT_HOLD_SECONDS=600 ./test hold
const kLongHold = Number(process.env['CROSSPOINT_HOLD_SECONDS'] ?? 70) * 1_000;
// It goes on while the other tests of this file run.
let longHold: Promise<number[]>;

beforeAll(() => {
  longHold = holdForLong([kGrtc, kFirefox, kFieldNew]);
  longHold.catch(() => undefined); // its test tells
});

/** Each holds a call of its own for so long; gives for each how long it took until both ends heard each other again. */
async function holdForLong(contenders: Contender[]): Promise<number[]> {
  const tones = contenders.map((_, index) => 700 + 100 * index);
  const world = await World.start({ tones, contenders });
  try {
    return await Promise.all(
      contenders.map(async (_, index) => {
        const [page, phone] = await Promise.all([world.party({ dn: `101${index}` }, index), world.phone(`201${index}`, kPhone)]);
        const bothHear = (): Promise<void> => hearEachOther(page, phone);
        await page.call(`201${index}`);
        await phone.answer();
        await page.waitUntilEstablished();
        await bothHear();
        await page.hold();
        await phone.waitForSilence();
        const since = Date.now();
        await until('the hold has lasted long enough', () => Date.now() - since >= kLongHold, 2 * kLongHold);
        const before = Date.now();
        await page.resume();
        await bothHear();
        const took = Date.now() - before;
        expect((await page.events()).map(({ name }) => name)).not.toContain('onIceDisconnected');
        await phone.hangUp();
        await page.waitFor('onPeerClosing');
        return took;
      }),
    );
  } finally {
    await world.stop();
  }
}

const scenarios: [string, ServerKind, Contender][] = [
  ...kContenders.map((contender): [string, ServerKind, Contender] => [contender.name, 'embedded', contender]),
  [kGrtc.name, 'kamailio', kGrtc],
];

describe.each(scenarios)('hold and resume, %s, SIP server: %s', (_, server, contender) => {
  let world: World;
  let page: WebParty;
  let phone: Phone;

  beforeAll(async () => {
    world = await World.start({ server, tones: [kPage], contenders: [contender] });
    [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
    await bothHear();
  });
  afterAll(() => world?.stop());

  const bothHear = (): Promise<void> => hearEachOther(page, phone);
  const noneHears = (): Promise<unknown> => Promise.all([phone.waitForSilence(), waitForSilence(page.page)]);

  it('the page holds and resumes, twice', async () => {
    for (const round of [1, 2]) {
      await page.hold();
      expect(await page.waitFor('onSessionHold'), `round ${round}`).toEqual({ isTrue: true });
      await noneHears();
      await page.resume();
      await bothHear();
    }
  });

  it.runIf(contender.client === 'grtc')('the page keeps its connection when it holds and resumes', async () => {
    const connections = (): Promise<unknown> => page.page.evaluate('window.probe.connections.length');
    await page.evaluate('client.setRenewSessionOnNeed(false)');
    const before = await connections();
    for (let round = 0; round < 3; ++round) {
      await page.hold();
      await noneHears();
      await page.resume();
      await bothHear();
    }
    expect(await connections()).toBe(before);
    await page.evaluate('client.setRenewSessionOnNeed(true)');
  });

  it('the phone holds and resumes, twice', async () => {
    for (let round = 0; round < 2; ++round) {
      await phone.hold();
      await phone.waitForSilence();
      await phone.resume();
      await bothHear();
    }
  });

  it('the call ends as it should afterwards', async () => {
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });
});

describe('a hold of minutes', () => {
  it('ends as one of seconds does: the audio is back at once', { timeout: kLongHold + 60_000 }, async () => {
    const took = await within('the long hold ends', longHold, kLongHold + 60_000);
    for (const milliseconds of took) expect(milliseconds).toBeLessThan(5_000);
  });
});
