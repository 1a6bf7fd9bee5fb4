// What applications in the field do to a gateway (signalling, section 9), with the client that knows no extension of ours: none of it
// breaks a call or is left behind.
import { describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { waitForSilence, waitForTone } from './support/browser';
import { kFieldNew, kFieldOld } from './support/contenders';
import { hearEachOther, talk } from './support/talk';
import { until } from './support/wait';
import type { WebParty } from './support/web_party';
import { World, worldFor } from './support/world';

const kPage = 600;
const kPhone = 1_000;
const kSessionTimeout = 12; // s; longer than the client's 10 s of one poll

describe.each([kFieldOld, kFieldNew])('$name', (contender) => {
  const world = worldFor({ tones: [kPage], contenders: [contender], front: true });

  const talks = async (page: WebParty, dial = '2001'): Promise<() => Promise<void>> => {
    const phone = await world.phone(dial, kPhone);
    await page.call(dial);
    return isAnswered(page, phone);
  };
  const isAnswered = async (page: WebParty, phone: Phone): Promise<() => Promise<void>> => {
    await phone.answer();
    await hearEachOther(page, phone);
    return async () => {
      await phone.hangUp();
      await page.waitFor('onPeerClosing');
    };
  };

  it('aborts each poll after a while and polls again at once: the call goes on, and what comes then arrives', async () => {
    const page = await world.partyBehindFront({ dn: '1001', configuration: { polling_timeout: 1_500 } }); // not 10 s, to see several
    const hangUp = await talks(page);
    const polls = (): number => world.front.askedFor(/^\/wait/).length;
    const before = polls();
    await until('three polls are aborted and other ones begin', () => polls() >= before + 3);
    await hangUp();
    await page.hangUp();
  });

  it('registers a number that is no string, and leaves settings empty', async () => {
    const empty = { stun_server: '', turn_server: '', turn_username: undefined, sip_username: '', sip_password: undefined };
    const page = await world.party({ configuration: empty });
    await page.evaluate('client.register(1004)');
    await page.waitFor('onRegister');
    const phone = await world.phone('2001', kPhone);
    await talk(phone, '1004', page);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('calls before its REGISTER has ended: that call goes nowhere, the next one works', async () => {
    const page = await world.party();
    await page.evaluate(`(client.signOut(), client.register('1001'), call('2001', true, false, null))`);
    await page.waitFor('onRegister');
    await page.evaluate('session.closeSession(true)');
    const phone = await world.phone('2001', kPhone);
    // If that call did reach the gateway, what is said of its end would be taken for the end of the next one.
    await page.evaluate(`client.post('2001', 'nothing')`);
    await until('everything before is told', async () => (await page.waitFor('onGatewayError'))['error'] === 'FAILED');
    await page.forgetEvents();
    await page.call('2001');
    await (await isAnswered(page, phone))();
  });

  it('signs in again with the DN that it is signed in with, in a call: the call ends, the next one works', async () => {
    const page = await world.party({ dn: '1001' });
    const phone = await world.phone('2001', kPhone);
    await talk(page, '2001', phone);
    await page.evaluate(`client.register('1001')`);
    await page.waitFor('onRegister');
    await phone.waitFor('CALL_CLOSED');
    const posted = (): Promise<number> =>
      page.page.evaluate<number>(`performance.getEntriesByType('resource').filter(({ name }) => name.includes('/message?')).length`);
    const before = await posted();
    await page.evaluate('session.closeSession(true)');
    await until('the gateway has its BYE', async () => (await posted()) > before);
    await talk(phone, '1001', page);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('signs out before it says BYE: the far end hears the end', async () => {
    const page = await world.party({ dn: '1001' });
    const phone = await world.phone('2001', kPhone);
    await talk(page, '2001', phone);
    await page.evaluate('(client.signOut(), session.closeSession(true))');
    await phone.waitFor('CALL_CLOSED');
  });

  it('makes several sessions, of which one calls at a time', async () => {
    const page = await world.party({ dn: '1001' });
    await page.evaluate('(openSession(), openSession(), openSession())');
    await (await talks(page))();
    await (await talks(page, '2002'))();
  });

  it('filters its candidates down to none: the call works', async () => {
    const page = await world.party({ dn: '1001' });
    await page.evaluate('client.filterCandidates = () => []');
    await (await talks(page))();
    const phone = await world.phone('2003', kPhone);
    await talk(phone, '1001', page);
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');
  });

  it('sends an offer again because a proxy has lost the reply: the phone rings once', async () => {
    const page = await world.partyBehindFront({ dn: '1001' });
    const phone = await world.phone('2001', kPhone);
    world.front.loseReplies(/^\/message/);
    const offers = world.front.sent('OFFER').length;
    await page.call('2001');
    await until('it is sent again', () => world.front.sent('OFFER').length >= offers + 2);
    world.front.loseReplies();
    await phone.answer();
    await hearEachOther(page, phone);
    expect(phone.seen('CALL_INCOMING')).toBe(false);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('answers with data attached to every message', async () => {
    const page = await world.partyBehindFront({ dn: '1001' });
    await page.evaluate(`client.data = [{ key: 'user', value: 'an OFFER, an ERROR with errorType {' }]`);
    await page.call('echo');
    await waitForTone(page.page, kPage);
    for (const type of ['OFFER', 'OK']) expect(world.front.sent(type).at(-1)!.attacheddata, type).toBeDefined();
    await page.hangUp();
    await waitForSilence(page.page);
  });

  it.runIf(contender === kFieldNew)('takes another source in mid-call, in a further section: the far end hears on', async () => {
    const page = await world.party({ dn: '1001' });
    const hangUp = await talks(page);
    await page.page.evaluate('navigator.mediaDevices.getUserMedia({ audio: true }).then((stream) => session.changeSource(stream))');
    await page.waitUntilEstablished();
    await waitForTone(page.page, kPhone);
    expect(await page.page.evaluate('window.probe.connections[0].getTransceivers().length')).toBe(2);
    await hangUp();
  });

  it.runIf(contender === kFieldNew)('polls again 3 s after an error, and is there', async () => {
    const page = await world.partyBehindFront({ dn: '1001' });
    world.front.refuse(/^\/wait/);
    await page.waitFor('onConnectionError');
    world.front.refuse();
    const phone = await world.phone('2001', kPhone);
    await phone.dial('1001');
    await page.waitFor('onIncomingCall');
    await page.reject();
    await phone.waitFor('CALL_CLOSED');
  });

  // A page of the newer generation, which loses its poll after it, shows when the time for another one has passed.
  it.runIf(contender === kFieldOld)('stops polling for good at an error', async () => {
    const page = await world.partyBehindFront({ dn: '1001' });
    const newer = await world.partyBehindFront({ dn: '1002', client: 'field-new' });
    const polls = await Promise.all([page, newer].map(async (each) => new RegExp(`^/wait.*${String(await each.evaluate('client.ssid'))}`)));
    for (const [i, each] of [page, newer].entries()) {
      world.front.refuse(polls[i]);
      await each.waitFor('onConnectionError');
    }
    const [before, beforeOfNewer] = polls.map((path) => world.front.askedFor(path).length);
    world.front.refuse();
    await until('the newer one polls again', () => world.front.askedFor(polls[1]!).length > beforeOfNewer!);
    expect(world.front.askedFor(polls[0]!).length).toBe(before);
  });
});

describe('a client that vanishes', () => {
  it('without a sign-out and without a BYE: its call ends, and its DN is free', async () => {
    const world = await World.start({ tones: [kPage], contenders: [kFieldNew], configuration: { http: { 'session-timeout': kSessionTimeout } } });
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await phone.dial('1001');
    await page.waitFor('onIncomingCall');
    await page.evaluate('client.vanish()');
    await phone.waitFor('CALL_CLOSED', (kSessionTimeout + 10) * 1_000);
    await phone.dial('1001');
    expect((await phone.waitFor('CALL_CLOSED')).param).toMatch(/^(404|480)/);
    await world.stop();
  });
});
