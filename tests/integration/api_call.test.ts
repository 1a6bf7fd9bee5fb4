// Grtc.MediaSession and the events of a call in real browsers: data, statistics, what happens when an answer, the gateway or the
// network fails.
import { describe, expect, it } from 'vitest';
import { waitForFrames, waitForTone } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { Relay } from './support/relay';
import { hearEachOther, talk } from './support/talk';
import { until } from './support/wait';
import { WebParty, type PartyOptions } from './support/web_party';
import { worldFor } from './support/world';

const kPage = 600;
const kPhone = 1_000;

describe.each([kGrtc, kFirefox])('a call of the Grtc API, $browser', (contender) => {
  const world = worldFor({ tones: [kPage], contenders: [contender], front: true });

  const party = (options: PartyOptions = {}): Promise<WebParty> => world.partyBehindFront(options);
  const thrown = (page: WebParty, script: string): Promise<unknown> =>
    page.page.evaluate(`(() => { try { ${script}; return 'nothing'; } catch (e) { return e instanceof Grtc.Error && e.message ? e.name : String(e); } })()`);

  it('setData, getData and sendInfo refuse what is not well-formed', async () => {
    const page = await party();
    await page.evaluate('openSession()');
    expect(await page.page.evaluate('session.getData()')).toBeNull();
    const wrong = [`[{ key: 'a' }]`, `[{ key: 'a', value: 1, more: 2 }]`, `[{ key: 'a', value: {} }]`];
    for (const data of ['undefined', 'null', '{}', '[]', `'text'`, '[{}]', ...wrong]) {
      expect(await thrown(page, `session.setData(${data})`), data).toBe('GRTC_ERROR');
    }
    const data = [
      { key: 'Name', value: 'Größe & Söhne = 1' },
      { key: 'Phone', value: '800-555-1212' },
    ];
    await page.evaluate(`session.setData(${JSON.stringify(data)})`);
    expect(await page.page.evaluate('session.getData()')).toEqual(data);
    expect(await thrown(page, `session.sendInfo({ a: '1' })`)).toBe('INVALID_STATE_ERROR'); // no call yet
    await page.call('self');
    await page.waitFor('onRemoteStream');
    for (const info of ['undefined', 'null', `'text'`, '[1]', '{}', '{ a: {} }', '{ a: () => 1 }']) {
      expect(await thrown(page, `session.sendInfo(${info})`), info).toBe('GRTC_ERROR');
    }
    await page.hangUp();
  });

  it('data attached to a call reaches the other page, and its data comes back', async () => {
    const [left, right] = [await party({ dn: '1001' }), await world.party({ dn: '1002' })];
    const theirs = [{ key: 'Name', value: 'Größe & Söhne = 1' }, { key: 'empty', value: '' }];
    const ours = [{ key: 'Agent', value: '1002 / “eins”' }];
    await left.call('1002', theirs);
    await right.waitFor('onIncomingCall');
    await right.evaluate(`(openSession(), session.setData(${JSON.stringify(ours)}), session.acceptCall(true, false))`);
    await left.waitUntilEstablished();
    expect(await right.page.evaluate('session.getData()')).toEqual(theirs);
    expect(await left.page.evaluate('session.getData()')).toEqual(ours);
    await left.hangUp();
    await right.waitFor('onPeerClosing');
  });

  it('sendInfo to the far end arrives as onInfoFromPeer', async () => {
    const [left, right] = [await party({ dn: '1001' }), await world.party({ dn: '1002' })];
    await left.call('1002');
    await right.answer();
    await Promise.all([left.waitUntilEstablished(), right.waitUntilEstablished()]);
    await left.evaluate(`session.sendInfo({ visitid: 'abc123', text: 'ä=&+ %', count: 3 }, false)`);
    expect(await right.waitFor('onInfoFromPeer')).toEqual({ visitid: 'abc123', text: 'ä=&+ %', count: '3' });
    await right.evaluate(`session.sendInfo({ back: 'yes' }, false)`);
    expect(await left.waitFor('onInfoFromPeer')).toEqual({ back: 'yes' });
    await left.hangUp();
    await right.waitFor('onPeerClosing');
  });

  it('getServerStats gives the documented object, and so does the end of a call', async () => {
    const page = await party({ dn: '1001', video: true });
    expect(await thrown(page, '(openSession(), session.getServerStats())')).toBe('INVALID_STATE_ERROR');
    await page.call('self');
    await waitForFrames(page.page, 10);
    const stats = async (): Promise<Record<string, Record<string, unknown>>> => {
      await page.evaluate('session.getServerStats()');
      return (await page.waitFor('onStatsFromServer')) as Record<string, Record<string, unknown>>;
    };
    const first = await stats();
    const counters = ['ssrc', 'payload', 'packets', 'bytes', 'errors', 'rtcp', 'rtcp_errors'];
    const quality = ['lost', 'jitter', 'max_jitter'];
    for (const medium of [first['audio']!, first['video']!]) {
      expect(Object.keys(medium).sort()).toEqual(['leg_id', 'codec', 'rx', 'tx', 'client', 'rtt', 'rtt_max', 'rtt_average', 'rtt_count'].sort());
      expect(Object.keys(medium['rx'] as object).sort()).toEqual([...counters, ...quality].sort());
      expect(Object.keys(medium['tx'] as object).sort()).toEqual([...counters].sort());
      expect(Object.keys(medium['client'] as object).sort()).toEqual(['packets', ...quality].sort());
      const { codec, rx, tx, client, ...numbers } = medium;
      expect(codec).toEqual(expect.any(String));
      for (const value of [...Object.values(rx as object), ...Object.values(tx as object), ...Object.values(client as object), ...Object.values(numbers)]) {
        expect(value).toEqual(expect.any(Number));
      }
      expect((rx as { packets: number }).packets).toBeGreaterThan(0);
      expect((tx as { bytes: number }).bytes).toBeGreaterThan(0);
    }
    expect(Math.abs(Number(first['timestamp']) - Date.now())).toBeLessThan(10_000);
    const second = await until('more packets', async () => {
      const now = await stats();
      const packets = (which: typeof now): number => (which['audio']!['rx'] as { packets: number }).packets;
      return packets(now) > packets(first) + 10 ? now : undefined;
    });
    expect(Number(second['duration'])).toBeGreaterThan(Number(first['duration']));
    expect(Number(second['timestamp']) - Number(first['timestamp'])).toBeGreaterThan(0);
    await page.hangUp();
    expect(await page.waitFor('onStatsFromServer')).toHaveProperty('audio');
  });

  it('video is added to a call and dropped from it, and the audio goes on', async () => {
    const page = await party({ video: true });
    await page.evaluate(`(openSession(), session.makeOffer('self', true, false))`);
    await waitForTone(page.page, kPage);
    expect(await page.page.evaluate('[session.hasAudioEnabled(), session.hasVideoEnabled()]')).toEqual([true, false]);
    await page.evaluate(`session.makeOffer('self', true, true)`);
    await waitForFrames(page.page, 10);
    expect(await page.page.evaluate('[session.hasAudioEnabled(), session.hasVideoEnabled()]')).toEqual([true, true]);
    await waitForTone(page.page, kPage);
    await page.evaluate(`session.makeOffer('self', true, false)`);
    await until('the video is gone', () => page.evaluate('session.isEstablished() && !session.hasVideoEnabled()'));
    await waitForTone(page.page, kPage);
    await page.hangUp();
  });

  it('a call that only receives: the page hears, the phone does not', async () => {
    const [page, phone] = await Promise.all([party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await page.evaluate(`(openSession(), session.makeOffer('2001', 'recvonly', false))`);
    await phone.answer();
    await waitForTone(page.page, kPhone);
    await phone.waitForSilence();
    await page.evaluate(`session.makeOffer('2001', true)`);
    await hearEachOther(page, phone);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('onPeerNoanswer comes when noanswer_timeout has passed, and not in a call that is answered', async () => {
    const phone = await world.phone('2001', kPhone);
    const page = await party({ configuration: { noanswer_timeout: 1_500 } });
    const before = Date.now();
    await page.call('2001');
    await phone.waitFor('CALL_INCOMING');
    await page.waitFor('onPeerNoanswer');
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_500);
    await page.evaluate('session.terminateCall()'); // as the guide's handler does
    await phone.waitFor('CALL_CLOSED');
    const again = Date.now();
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
    await page.forgetEvents(); // on a busy machine it may have come before the answer
    await hearEachOther(page, phone);
    await until('the time has passed', () => Date.now() - again > 2_000);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
    expect((await page.events()).map(({ name }) => name)).not.toContain('onPeerNoanswer');
  });

  it('a failed hanging GET is told by onConnectionError and tried again after 3 s, again and again; what came meanwhile arrives', async () => {
    const from = world.front.asked.length;
    const [page, phone] = await Promise.all([party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await until('it polls', () => world.front.asked.slice(from).some(({ path }) => path.startsWith('/wait')));
    const before = world.front.asked.length;
    world.front.refuse(/^\/wait/);
    for (let failure = 0; failure < 3; ++failure) expect((await page.waitFor('onConnectionError'))['status']).toEqual(expect.any(String));
    const times = world.front.asked.slice(before).flatMap(({ at, isRefused }) => (isRefused ? [at] : []));
    expect(times.length).toBeGreaterThan(1);
    for (const [index, at] of times.slice(1).entries()) expect(at - times[index]!).toBeGreaterThanOrEqual(2_900);
    await phone.dial('1001');
    world.front.refuse();
    await page.waitFor('onIncomingCall', 10_000);
    await page.accept();
    await hearEachOther(page, phone);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });

  it('a hanging GET that gives nothing is made anew after polling_timeout, and a message that does not get through is sent again after 3 s', async () => {
    const configuration = { polling_timeout: 10_000 };
    const newPoller = async (known?: string): Promise<string> => {
      const from = world.front.asked.length;
      const ids = (): string[] => world.front.asked.slice(from).flatMap(({ path }) => (path.startsWith('/wait') ? /id=\w+/.exec(path)! : []));
      return until('somebody else polls', () => ids().find((id) => id !== known));
    };
    const [page, own] = await Promise.all([party({ dn: '1001', configuration }), newPoller()]);
    const [idle, other] = await Promise.all([party({ dn: '1002', configuration }), newPoller(own)]);
    const polls = (): number[] => world.front.askedFor(new RegExp(`^/wait.*${other}`)).map(({ at }) => at);
    world.front.refuse(/^\/message/);
    const offers = world.front.sent('OFFER').length;
    await page.call('echo');
    await until('it tries twice', () => world.front.sent('OFFER').length >= offers + 2);
    world.front.refuse();
    await waitForTone(page.page, kPage);
    const [first, ...others] = world.front.sent('OFFER').slice(offers);
    for (const again of others) expect(again).toEqual(first);
    await page.hangUp();
    await until('the idle one polls anew', () => polls().length > 1);
    expect(polls()[1]! - polls()[0]!).toBeGreaterThanOrEqual(9_900);
    for (const each of [page, idle]) expect((await each.events()).map(({ name }) => name)).not.toContain('onConnectionError');
  });

  it('a browser that refuses is told of by onWebrtcError', async () => {
    const page = await party();
    await page.evaluate(`(RTCPeerConnection.prototype.createOffer = () => Promise.reject(new Error('not today')), undefined)`);
    await page.call('self');
    expect((await page.waitFor('onWebrtcError'))['error']).toMatch(/not today/);
    await page.waitFor('onPeerClosing');
  });

  it('the network changes: onIceDisconnected, an ICE restart, and the call goes on', { timeout: 90_000 }, async () => {
    const relay = new Relay();
    world.front.rewrite = relay.rewrite;
    const [page, phone] = await Promise.all([party({ dn: '1001' }), world.phone('2001', kPhone)]);
    await page.evaluate('client.filterIceCandidates = () => []'); // or the gateway would find a way past the relay
    await talk(page, '2001', phone);
    const offers = world.front.sent('OFFER');
    relay.cut();
    await phone.waitForSilence();
    expect((await page.waitFor('onIceDisconnected', 40_000))['status']).toEqual(expect.any(String));
    await page.evaluate('session.makeOffer()'); // what the guide asks the page to do
    await hearEachOther(page, phone, 30_000);
    const ufrag = ({ sdp }: { sdp: string }): string => /^a=ice-ufrag:(\S+)/m.exec(sdp)![1]!;
    expect(ufrag(world.front.sent('OFFER').at(-1)!)).not.toBe(ufrag(offers.at(-1)!));
    expect((await page.events()).map(({ name }) => name)).not.toContain('onPeerClosing');
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
    relay.stop();
  });

  it('a DN that signs in elsewhere is signed out here, and calls ring there', async () => {
    const here = await party({ dn: '1001' });
    const there = await world.party({ dn: '1001' });
    const phone = await world.phone('2001', kPhone);
    await phone.dial('1001');
    await there.waitFor('onIncomingCall');
    expect((await here.events()).map(({ name }) => name)).not.toContain('onIncomingCall');
    await here.waitFor('onDisconnect');
    await there.accept();
    await hearEachOther(there, phone);
    await there.evaluate(`client.register('1003')`); // signs the former DN out first, which ends its call
    await there.waitFor('onRegister');
    await phone.waitFor('CALL_CLOSED');
    await phone.dial('1001');
    expect((await phone.waitFor('CALL_CLOSED')).param).toMatch(/^(404|480)/);
    await phone.dial('1003');
    await there.waitFor('onIncomingCall');
    await phone.hangUp();
    await there.waitFor('onPeerClosing');
  });
});
