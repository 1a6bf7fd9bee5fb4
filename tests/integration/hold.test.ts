// Hold and resume, from the page and from the phone, with each client: the tones stop and come back, and nothing else changes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { waitForSilence, waitForTone } from './support/browser';
import { kContenders, kGrtc, type Contender } from './support/contenders';
import type { WebParty } from './support/web_party';
import { World, type ServerKind } from './support/world';

const kPage = 600;
const kPhone = 1_000;

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
    await phone.waitFor('CALL_INCOMING');
    await phone.accept();
    await page.waitUntilEstablished();
    await bothHear();
  });
  afterAll(() => world?.stop());

  const bothHear = (): Promise<unknown> => Promise.all([phone.waitForTone(kPage), waitForTone(page.page, kPhone)]);
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
