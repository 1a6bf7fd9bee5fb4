// Arguments that nobody should give, but pages do: other types, too much, halves of characters.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { iceServersOf, readConfiguration } from '../src/configuration.js';
import { Fixture, kGateway, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('The configuration', () => {
  const failure = (more: object): string | null => thrown(() => readConfiguration({ webrtc_gateway: kGateway, ...more }));

  it.each(['a:0', 'a:65536', 'a:99999', 'a:-1', 'a:1 b:2', 'stun:'])('refuses the STUN server "%s"', (stun_server) => {
    expect(failure({ stun_server })).toBe('CONFIGURATION_ERROR');
  });

  it('takes ports from 1 to 65535', () => {
    const configuration = readConfiguration({ webrtc_gateway: kGateway, stun_server: 'a:1, [::1]:65535, b' });
    expect(iceServersOf(configuration)).toEqual([{ urls: ['stun:a:1', 'stun:[::1]:65535', 'stun:b'] }]);
  });

  it('refuses a gateway with a name and a password in its URL, because browsers ask no such', () => {
    expect(failure({ webrtc_gateway: 'http://me:secret@gw.example' })).toBe('CONFIGURATION_ERROR');
  });

  it('knows that timers of more than 24 days go off at once', () => {
    const { noanswer_timeout, polling_timeout } = readConfiguration({
      webrtc_gateway: kGateway,
      noanswer_timeout: 1e12,
      polling_timeout: '99999999999',
    });
    expect([noanswer_timeout, polling_timeout]).toEqual([2147483647, 2147483647]);
  });
});

describe('register()', () => {
  it.each([[{}], [true], [[]], [() => 1]])('of %s ends in onFailed, and asks no gateway', async (dn) => {
    const t = new Fixture({ sip_username: '1020' });
    t.client.register(dn as unknown as string);
    await settle();
    expect(t.names()).toEqual(['onFailed']);
    expect(t.gateway.requests).toEqual([]);
  });

  it('of a DN with a colon and a password ends in onFailed: the gateway would cut it in two', async () => {
    const t = new Fixture({ sip_password: 'secret' });
    t.client.register('sip:1020');
    await settle();
    expect(t.names()).toEqual(['onFailed']);
    expect(t.gateway.requests).toEqual([]);
  });
});

describe('makeOffer()', () => {
  it.each([[{}], [true], [[1]], [Number.NaN < 0]])('of %s calls nobody', async (peer) => {
    const t = await new Fixture().signIn();
    expect(thrown(() => t.session.makeOffer(peer as unknown as string))).toBe('INVALID_STATE_ERROR');
    expect(t.gateway.bodies).toEqual([]);
  });

  it('of halves of characters is sent, and so is what comes after it', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('10\uD800');
    await pass(20);
    t.session.closeSession(true);
    t.session.makeOffer('1021');
    await pass(20);
    expect(t.gateway.posts.map(({ to, body }) => [to, body.slice(0, 4)])).toEqual([
      ['10\uFFFD', 'RSMP'],
      ['10\uFFFD', 'BYE'],
      ['1021', 'RSMP'],
    ]);
  });

  it('takes 1 and 0 for true and false', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('1021', 1 as unknown as boolean, 0 as unknown as boolean);
    await pass(20);
    expect(t.lastOffer().sdp).toContain('m=audio');
    expect(t.lastOffer().sdp).not.toContain('m=video');
  });
});

describe('acceptCall()', () => {
  it('without audio and video throws GRTC_ERROR, and the call still waits', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    expect(thrown(() => t.session.acceptCall(false, false))).toBe('INVALID_STATE_ERROR');
    await t.offer([['audio', 'sendrecv']]);
    expect(thrown(() => t.session.acceptCall(false, false))).toBe('GRTC_ERROR');
    t.session.acceptCall();
    await pass(20);
    expect(t.roap('ANSWER')).toHaveLength(1);
  });
});

describe('enableMediaSource()', () => {
  it('takes 1 and 0 for true and false', async () => {
    const t = new Fixture();
    t.client.enableMediaSource(1 as unknown as boolean, 0 as unknown as boolean);
    await settle();
    expect(t.platform.askedFor).toEqual([{ audio: true, video: false }]);
  });

  it('twice: the later one stays, whichever is granted first', async () => {
    const t = new Fixture();
    t.platform.mediaDelay = 100;
    t.client.enableMediaSource(true, true);
    t.platform.mediaDelay = 10;
    t.client.enableMediaSource(true, false);
    await pass(200);
    expect(t.names()).toEqual(['onMediaSuccess', 'onMediaFailure']);
    const [audioOnly, late] = t.platform.streams;
    expect(audioOnly?.getTracks().map(({ readyState }) => readyState)).toEqual(['live']);
    expect(late?.getTracks().map(({ readyState }) => readyState)).toEqual(['ended', 'ended']);
  });

  it('names the constraint that no device meets', async () => {
    const t = new Fixture();
    t.platform.mediaFailure = Object.assign(new Error(''), { name: 'OverconstrainedError', constraint: 'width' });
    t.client.enableMediaSource();
    await settle();
    expect(t.last('onMediaFailure')).toMatchObject({ message: expect.stringContaining('(width)') as unknown });
  });
});

describe('Data', () => {
  const pair = (length: number): { key: string; value: string }[] => [{ key: 'k', value: 'x'.repeat(length) }];

  it('that a SIP header has no room for cannot be attached', () => {
    const t = new Fixture();
    expect(thrown(() => t.session.setData(pair(4094)))).toBeNull();
    expect(thrown(() => t.session.setData(pair(4095)))).toBe('GRTC_ERROR');
    expect(t.session.getData()).toEqual(pair(4094));
    expect(thrown(() => t.session.setData([{ key: 'k', value: 'ä'.repeat(683) }]))).toBe('GRTC_ERROR');
    expect(thrown(() => t.session.setData([{ key: 'k', value: '!'.repeat(1365) }]))).toBe('GRTC_ERROR');
    const many = (count: number): { key: string; value: number }[] =>
      Array.from({ length: count }, (_, value) => ({ key: 'k', value }));
    expect(thrown(() => t.session.setData(many(128)))).toBeNull();
    expect(thrown(() => t.session.setData(many(129)))).toBe('GRTC_ERROR');
  });

  it('of more than 16384 bytes cannot be sent in a call', async () => {
    const t = await new Fixture().call();
    expect(thrown(() => t.session.sendInfo({ k: 'x'.repeat(16_382) }))).toBeNull();
    expect(thrown(() => t.session.sendInfo({ k: 'x'.repeat(16_383) }))).toBe('GRTC_ERROR');
  });

  it('with halves of characters is data all the same', async () => {
    const t = await new Fixture().call();
    expect(thrown(() => t.session.setData([{ key: 'k', value: '\uD800' }]))).toBeNull();
    t.session.sendInfo({ k: '\uDFFF' });
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('INFO-MAP k=%EF%BF%BD');
  });
});
