// What a page does within a call without negotiating: mute, digits, data, statistics.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kBoth: [string, 'sendrecv'][] = [
  ['audio', 'sendrecv'],
  ['video', 'sendrecv'],
];

describe('Mute', () => {
  it('switches the tracks, ignores what is no boolean, and ends with the call', async () => {
    const t = await new Fixture().call();
    const tracks = t.platform.streams[0]?.getTracks() ?? [];
    const enabled = (): boolean[] => tracks.map((track) => track.enabled);
    t.session.updateCall(false);
    expect(enabled()).toEqual([false, true]);
    t.session.updateCall('yes' as unknown as boolean, false);
    expect(enabled()).toEqual([false, false]);
    t.session.updateCall(true);
    expect(enabled()).toEqual([true, false]);
    t.session.closeSession(true);
    expect(enabled()).toEqual([true, true]);
  });

  it('holds for a new source and a new connection', async () => {
    const t = await new Fixture().call();
    t.session.updateCall(false);
    await t.enableMedia();
    expect(t.platform.streams[1]?.getTracks()[0]?.enabled).toBe(false);
    t.session.makeOffer();
    await pass(10);
    await t.answer();
    expect(t.platform.connection.transceivers[0]?.sender.track?.enabled).toBe(false);
  });

  it('leaves alone what the page switches itself', async () => {
    const t = await new Fixture().call();
    const [track] = t.platform.streams[0]?.getTracks() ?? [];
    if (track !== undefined) track.enabled = false;
    t.session.holdCall();
    await pass(10);
    await t.answer();
    t.session.closeSession();
    expect(track?.enabled).toBe(false);
  });
});

describe('sendDTMF', () => {
  it('plays tones with the default and the given times', async () => {
    const t = await new Fixture().call();
    const dtmf = t.platform.connection.transceivers[0]?.sender.dtmf;
    expect(t.session.sendDTMF('1')).toBe(0);
    expect(dtmf?.calls[0]).toEqual({ tones: '1', duration: 100, gap: 50 });
    if (dtmf) dtmf.toneBuffer = '';
    expect(t.session.sendDTMF('2#aD', { duration: 500, tonegap: 70 })).toBe(0);
    expect(dtmf?.calls[1]).toEqual({ tones: '2#AD', duration: 500, gap: 70 });
    if (dtmf) dtmf.toneBuffer = '';
    const words = { duration: '200', tonegap: '' } as unknown as { duration: number; tonegap: number };
    expect(t.session.sendDTMF('3', words)).toBe(0);
    expect(dtmf?.calls[2]).toEqual({ tones: '3', duration: 200, gap: 50 });
  });

  it('does not cut off tones that are still to be played', async () => {
    const t = await new Fixture().call();
    t.session.sendDTMF('12');
    t.session.sendDTMF('3');
    expect(t.platform.connection.transceivers[0]?.sender.dtmf?.calls.at(-1)?.tones).toBe('123');
  });

  it.each([
    ['', {}],
    ['12x', {}],
    ['1,2', {}],
    ['1', { duration: 69 }],
    ['1', { duration: 6001 }],
    ['1', { tonegap: 49 }],
    ['1', { duration: Number.NaN }],
  ])('returns -1 for %j with %j', async (tones, options) => {
    const t = await new Fixture().call();
    expect(t.session.sendDTMF(tones, options)).toBe(-1);
    expect(t.platform.connection.transceivers[0]?.sender.dtmf?.calls).toEqual([]);
  });

  it('returns -1 without a call, and where digits cannot be sent', async () => {
    const t = new Fixture();
    expect(t.session.sendDTMF('1')).toBe(-1);
    await t.call();
    const dtmf = t.platform.connection.transceivers[0]?.sender.dtmf;
    if (dtmf) dtmf.canInsertDTMF = false;
    expect(t.session.sendDTMF('1')).toBe(-1);
  });
});

describe('Data', () => {
  it('set before a call goes along with every ROAP message', async () => {
    const t = new Fixture();
    const data = [{ key: 'Name', value: 'My Name' }];
    t.session.setData(data);
    await t.call();
    expect(t.roap().map(({ attacheddata }) => attacheddata)).toEqual([data, data]);
    expect(t.session.getData()).toEqual(data);
  });

  it('that comes with a call can be read before and after accepting', async () => {
    const t = await new Fixture().signIn();
    const data = [{ key: 'OFFER', value: 'ERROR' }];
    expect(t.session.getData()).toBeNull();
    await t.offer(kBoth, { attacheddata: data });
    expect(t.session.getData()).toEqual(data);
    t.session.acceptCall();
    await pass(10);
    expect(t.session.getData()).toEqual(data);
  });

  it('that comes ill-formed makes getData throw GRTC_ERROR', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth, { attacheddata: 'nonsense' });
    expect(thrown(() => t.session.getData())).toBe('GRTC_ERROR');
    expect(thrown(() => t.session.setData([] as never))).toBe('GRTC_ERROR');
  });

  it('is sent during a call, mapped or not', async () => {
    const t = await new Fixture().call();
    t.session.sendInfo({ visitid: 'abc123', token: '1 2' });
    t.session.sendInfo({ a: 1 }, false);
    await settle();
    expect(t.gateway.bodies.slice(-2)).toEqual(['INFO-MAP visitid=abc123&token=1%202', 'INFO-PEER a=1']);
    expect(thrown(() => t.session.sendInfo([] as never))).toBe('GRTC_ERROR');
    t.session.closeSession();
    expect(thrown(() => t.session.sendInfo({ a: 1 }))).toBe('INVALID_STATE_ERROR');
  });

  it('from the far end is a simple object', async () => {
    const t = await new Fixture().call();
    t.gateway.send('INFO-PEER param1=1&param2=b%20c', '1021');
    await settle();
    expect(t.last('onInfoFromPeer')).toEqual({ param1: '1', param2: 'b c' });
  });
});

describe('Statistics', () => {
  it('are asked for and come as the documented object', async () => {
    const t = await new Fixture().call();
    t.session.getServerStats();
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('GET-STATS');
    const stats = { timestamp: 1417536926232, duration: 4727016, audio: { leg_id: 101 } };
    t.gateway.send(`PUT-STATS ${JSON.stringify(stats)}`);
    await settle();
    expect(t.last('onStatsFromServer')).toEqual(stats);
    t.session.closeSession();
    expect(thrown(() => t.session.getServerStats())).toBe('INVALID_STATE_ERROR');
    t.gateway.send('PUT-STATS {"duration":1}'); // those of the call's end may come after it
    await settle();
    expect(t.count('onStatsFromServer')).toBe(2);
  });
});

describe('Messages within a call that do not arrive', () => {
  async function sendThrough(features: string): Promise<Fixture> {
    const t = new Fixture();
    t.gateway.features = features;
    await t.call();
    t.gateway.failPosts = 3;
    t.session.getServerStats();
    t.session.sendInfo({ n: 1 }, false);
    t.session.sendInfo({ n: 2 }, false);
    await pass(20_000);
    return t;
  }

  it('are sent again to a gateway that recognises them, but a question for statistics is not', async () => {
    const t = await sendThrough('ack,progress');
    const sent = t.gateway.posts.filter(({ body }) => !body.startsWith('RSMP'));
    expect(sent.map(({ number, body }) => [number, body])).toEqual([
      [4, 'INFO-PEER n=1'],
      [5, 'INFO-PEER n=2'],
    ]);
  });

  it('are not sent again to one that would take them twice', async () => {
    const t = await sendThrough('');
    expect(t.gateway.bodies.filter((body) => !body.startsWith('RSMP'))).toEqual([]);
  });
});
