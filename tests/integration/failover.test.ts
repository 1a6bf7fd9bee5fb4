// Two gateways at one SIP server: a page that is given both finds the one that works, quickly, and is registered once.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { waitForTone } from './support/browser';
import { CuttingProxy } from './support/cutting_proxy';
import type { Gateway } from './support/gateway';
import { freePorts } from './support/ports';
import { talk } from './support/talk';
import { sessionsAt, TwoGateways } from './support/two_gateways';
import { until } from './support/wait';
import type { WebParty } from './support/web_party';

const kLeft = 600;
const kRight = 1_500;

describe('a page with two gateways', () => {
  let two: TwoGateways;
  let first: Gateway;
  let second: Gateway;

  beforeAll(async () => {
    two = await TwoGateways.start(kLeft, kRight);
  });
  beforeEach(async () => {
    [first, second] = await two.renew();
  });
  afterEach(() => two?.clear());
  afterAll(() => two?.stop());

  const open = (dn: string, browser: number, ...urls: string[]): Promise<WebParty> => two.open(urls.join(','), browser, { dn });

  /** Someone at the second gateway calls it: it rings once, and both hear each other. */
  async function expectCallable(party: WebParty, dn: string): Promise<void> {
    const caller = await open('1009', 1, second.url);
    await caller.signIn();
    await party.forgetEvents();
    await talk(caller, dn, party);
    const names = (await party.events()).map(({ name }) => name);
    expect(names).not.toContain('onIncomingCall');
    await caller.hangUp();
    await party.waitFor('onPeerClosing');
  }

  it('signs in at the second one at once where nobody listens at the first', async () => {
    const nobody = `http://127.0.0.1:${await freePorts()}`;
    const party = await open('1001', 0, nobody, second.url);
    const began = Date.now();
    await party.signIn();
    expect(Date.now() - began).toBeLessThan(3_000);
    expect((await party.waitFor('onFailed'))['message']).toContain('cannot be reached');
    await expectCallable(party, '1001');
  });

  it('signs in at the second one soon where the first has stopped to answer, and is registered once when it goes on', async () => {
    const party = await open('1001', 0, first.url, second.url);
    first.program.signal('SIGSTOP');
    const began = Date.now();
    await party.signIn();
    expect(Date.now() - began).toBeLessThan(8_000); // 4 s, and what a busy machine adds
    await party.waitFor('onFailed');
    first.program.signal('SIGCONT'); // it finds the sign-in, and hears that it is of no use any more
    let asked = 0; // by ourselves
    const read = async (): Promise<number> => (await first.metric('http_requests_total')) - ++asked;
    await until('it has read the sign-in, and the question whether it is there', async () => (await read()) >= 2);
    await until('the page is signed in once', async () => (await sessionsAt(first)) === 0 && (await sessionsAt(second)) === 1);
    await expectCallable(party, '1001');
  });

  it('two pages that sign in as the same DN at once: the later one is signed in, and the other one nowhere', async () => {
    const pages = await Promise.all([0, 1].map((browser) => open('1001', browser, first.url, second.url)));
    two.server.program.signal('SIGSTOP');
    for (const [n, page] of pages.entries()) {
      await page.evaluate(`client.register('1001')`);
      await until('its sign-in is there', async () => (await sessionsAt(first)) === n + 1);
    }
    two.server.program.signal('SIGCONT');
    const [earlier, later] = pages as [WebParty, WebParty];
    await later.waitFor('onRegister');
    const ended = async (): Promise<boolean> =>
      (await earlier.events()).some(({ name }) => name === 'onFailed' || name === 'onDisconnect');
    await until('the earlier one hears of it', ended);
    await until('one is signed in', async () => (await sessionsAt(first)) === 1);
    expect(await sessionsAt(second)).toBe(0);
    expect((await later.events()).map(({ name }) => name)).not.toContain('onDisconnect');
  });

  it('moves to the second one when the first is killed', async () => {
    const party = await open('1001', 0, first.url, second.url);
    await party.signIn();
    first.program.signal('SIGKILL');
    const began = Date.now();
    expect(await party.waitFor('onReconnect')).toMatchObject({ resumed: false });
    expect(Date.now() - began).toBeLessThan(8_000);
    const names = (await party.events()).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['onConnectionError', 'onFailed']));
    expect(await sessionsAt(second)).toBe(1);
    await expectCallable(party, '1001');
  });

  it('goes on with its session where the one that was out of reach is there again and no other was', async () => {
    const proxy = await CuttingProxy.start(first.http);
    const party = await open('1001', 0, proxy.url, `http://127.0.0.1:${await freePorts()}`);
    await party.signIn();
    const signIns = await first.metric('sign_ins_total');
    proxy.setDown(true);
    await party.waitFor('onFailed');
    await party.waitFor('onConnectionError');
    proxy.setDown(false);
    expect(await party.waitFor('onReconnect', 30_000)).toMatchObject({ resumed: true });
    expect(await sessionsAt(first)).toBe(1);
    expect(await first.metric('sign_ins_total')).toBe(signIns);
    await expectCallable(party, '1001');
    await proxy.stop();
  });

  it('in a call when its gateway is killed: the call ends, and the next one goes through the other', async () => {
    const party = await open('1001', 0, first.url, second.url);
    await party.signIn();
    await party.call('echo');
    await waitForTone(party.page, kLeft);
    first.program.signal('SIGKILL');
    await party.waitFor('onPeerClosing', 40_000);
    await party.waitFor('onReconnect');
    await expectCallable(party, '1001');
  });
});
