// Failover between gateways, and signing in again by itself when a gateway has forgotten us.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ClientConfiguration } from '../src/configuration.js';
import { Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kOne = 'http://one.example:1';
const kTwo = 'http://two.example:2';
const kBoth = { webrtc_gateway: `${kOne}, ${kTwo}` };
const kFeatures = 'ack,progress,provisional,resume,transfer';

const signedIn = (configuration: Partial<ClientConfiguration> = {}): Promise<Fixture> => new Fixture(configuration).signIn('1020', kFeatures);

describe('Signing in where a gateway does not answer', () => {
  it('the next one is tried after 4 s, if there is no other sign of life', async () => {
    const t = new Fixture(kBoth);
    t.gateway.mute.add(kOne);
    await t.signIn();
    await pass(3999);
    expect(t.names()).toEqual([]);
    await pass(1);
    expect(t.names()).toEqual(['onFailed', 'onRegister']);
    expect(t.gateway.openPolls).toEqual([`${kTwo}/wait?id=S1`]);
  });

  it('a REGISTER that takes long is waited for, as long as the gateway is there', async () => {
    const t = new Fixture(kBoth);
    t.gateway.signIn = () => null;
    await t.signIn();
    await pass(120_000);
    expect(t.names()).toEqual([]);
    t.gateway.answerSignIns(200, 'id=LATE');
    await settle();
    expect(t.names()).toEqual(['onRegister']);
    expect(t.gateway.openPolls).toEqual([`${kOne}/wait?id=LATE`]);
  });

  it('the attempt is made anew after another network', async () => {
    const t = new Fixture();
    t.gateway.mute.add('http://gw.example:8086');
    await t.signIn();
    t.gateway.mute.clear();
    t.platform.changeNetwork();
    await settle();
    expect(t.names()).toEqual(['onRegister']);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(2);
  });

  it('the only one is waited for without asking', async () => {
    const t = new Fixture();
    t.gateway.mute.add('http://gw.example:8086');
    await t.signIn();
    await pass(120_000);
    expect(t.names()).toEqual([]);
    expect(t.gateway.requests).toHaveLength(1);
  });

  it('the one left behind is told, if its answer comes late', async () => {
    const t = new Fixture(kBoth);
    t.gateway.signIn = ({ url }) => (url.startsWith(kOne) ? null : { status: 200, text: 'id=T' });
    const probes = vi.spyOn(t.platform, 'request').mockImplementation((request) => {
      return request.probe === true ? Promise.reject(new TypeError('no route')) : t.gateway.handle(request);
    });
    await t.signIn();
    await pass(1500);
    expect(t.names()).toEqual(['onFailed', 'onRegister']);
    t.gateway.answerSignIns(200, 'id=LATE');
    await settle();
    expect(t.gateway.requestsFor('sign_out')).toEqual(['GET /sign_out?id=LATE']);
    expect(probes).toHaveBeenCalled();
  });

  it('the one left behind hears the connection close, if no answer comes', async () => {
    const t = new Fixture(kBoth);
    t.gateway.mute.add(kOne);
    const signals: (AbortSignal | undefined)[] = [];
    vi.spyOn(t.platform, 'request').mockImplementation((request) => {
      if (request.url.startsWith(`${kOne}/sign_in`)) signals.push(request.signal);
      return t.gateway.handle(request);
    });
    await t.signIn();
    await pass(4000 + 4999);
    expect(signals[0]?.aborted).toBe(false);
    await pass(1);
    expect(signals[0]?.aborted).toBe(true);
    expect(t.gateway.requestsFor('sign_out?id=S')).toEqual([]);
  });
});

describe('A gateway that is lost', () => {
  const registered = (more: object = {}): Promise<Fixture> => signedIn({ ...kBoth, ...more });

  it('is left for the next one after the second failure, with onFailed, and stays left', async () => {
    const t = await registered();
    t.gateway.down.add(kOne);
    t.gateway.endPoll(200);
    await pass(200);
    expect(t.names()).toEqual(['onRegister', 'onConnectionError']);
    await pass(3000);
    expect(t.names().slice(1)).toEqual(['onConnectionError', 'onConnectionError', 'onFailed', 'onReconnect']);
    expect(t.last('onReconnect')).toMatchObject({ resumed: false });
    expect(t.gateway.openPolls[0]).toMatch(`${kTwo}/wait?id=S2`);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(2);
    expect(t.gateway.requests).toContain('GET /sign_out?id=S1'); // in case it lives
  });

  it('without a word is noticed when polling_timeout has passed', async () => {
    const t = await registered();
    t.gateway.mute.add(kOne);
    await pass(30_000 + 2499);
    expect(t.count('onConnectionError')).toBe(0);
    await pass(1);
    expect(t.count('onConnectionError')).toBe(1);
    await pass(3000 + 30_000 + 2500);
    expect(t.names().at(-1)).toBe('onReconnect');
    expect(t.gateway.openPolls[0]).toMatch(`${kTwo}/wait`);
  });

  it('is gone on with where it is the only one', async () => {
    const t = await signedIn();
    t.gateway.failPolls = [0, 0, 0, 0];
    t.gateway.endPoll(200);
    await pass(200 + 12_000);
    expect(t.count('onConnectionError')).toBe(4);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(1);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('is kept while a call talks through it', async () => {
    const t = await registered();
    await t.callSignedIn();
    t.platform.connection.setIceState('connected');
    t.gateway.failPolls = Array.from({ length: 10 }, () => 0);
    t.gateway.endPoll(200);
    await pass(200 + 10_000);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(1);
    expect(t.count('onPeerClosing')).toBe(0);
    t.platform.connection.setIceState('disconnected');
    await pass(3000);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(2);
    expect(t.count('onPeerClosing')).toBe(1);
  });

  it('when none can be reached, they are tried again and again, and a page may disconnect meanwhile', async () => {
    const t = await registered();
    t.gateway.down.add(kOne).add(kTwo);
    t.gateway.endPoll(200);
    await pass(200 + 3000 + 3000 + 6000 + 12_000);
    expect(t.count('onFailed')).toBe(1);
    expect(t.count('onConnectionError')).toBe(2 + 4);
    t.client.disconnect();
    await pass(120_000);
    expect(t.names().at(-1)).toBe('onDisconnect');
    expect(t.count('onConnectionError')).toBe(2 + 4);
  });
});

describe('A gateway that has forgotten us', () => {
  async function forgotten(prepare: (t: Fixture) => Promise<unknown> = () => Promise.resolve()): Promise<Fixture> {
    const t = await signedIn();
    await prepare(t);
    t.gateway.failPolls = [0, 404];
    t.gateway.endPoll(200);
    await pass(200 + 3000);
    return t;
  }

  it('is signed in to again, asking for the old session', async () => {
    const t = await forgotten();
    expect(t.gateway.requestsFor('sign_in')[1]).toMatch(/^POST \/sign_in\?features=.*&resume=S1$/);
    expect(t.names()).toEqual(['onRegister', 'onConnectionError', 'onReconnect']);
    expect(t.gateway.openPolls[0]).toContain('id=S2&ack=0');
  });

  it('goes on with the call where the session still lives', async () => {
    const t = await forgotten(async (fixture) => {
      await fixture.callSignedIn();
      fixture.gateway.signIn = () => ({ status: 200, text: `id=S1\nfeatures=${kFeatures}\ntaken=2` });
    });
    expect(t.last('onReconnect')).toMatchObject({ resumed: true });
    expect(t.count('onPeerClosing')).toBe(0);
    expect(t.gateway.openPolls[0]).toContain('id=S1&ack=1');
    t.session.sendInfo({ a: 1 });
    await settle();
    expect(t.gateway.posts.at(-1)).toMatchObject({ from: 'S1', number: 3 });
  });

  it('a call that it has lost ends', async () => {
    const t = await forgotten((fixture) => fixture.callSignedIn());
    expect(t.names().slice(-2)).toEqual(['onPeerClosing', 'onReconnect']);
  });

  it('a call that still talks goes on as long as it can, and then nothing is said of it', async () => {
    const t = await forgotten(async (fixture) => {
      await fixture.callSignedIn();
      fixture.platform.connection.setIceState('connected');
    });
    expect(t.count('onPeerClosing')).toBe(0);
    const said = t.gateway.posts.length;
    t.platform.connection.setIceState('disconnected');
    await pass(60_000);
    expect(t.count('onPeerClosing')).toBe(1);
    expect(t.count('onIceDisconnected')).toBe(0);
    expect(t.gateway.posts).toHaveLength(said);
  });

  it('an offer made meanwhile waits for the new session', async () => {
    const t = await forgotten(async (fixture) => {
      await fixture.enableMedia();
      fixture.gateway.signIn = () => null;
    });
    t.session.makeOffer('1021');
    await pass(100);
    expect(t.roap()).toEqual([]);
    t.gateway.answerSignIns(200, `id=NEW\nfeatures=${kFeatures}`);
    await settle();
    expect(t.gateway.posts).toMatchObject([{ from: 'NEW', to: '1021', number: 1 }]);
    expect(t.count('onPeerClosing')).toBe(0);
  });

  it('that refuses us now leaves the client signed out, which the page hears of', async () => {
    const t = await forgotten((fixture) => {
      fixture.gateway.signIn = () => ({ status: 403, text: 'The SIP server does not let 1020 sign in (403 Forbidden)' });
      return Promise.resolve();
    });
    expect(t.names().slice(-2)).toEqual(['onFailed', 'onDisconnect']);
    expect(t.last('onFailed')).toMatchObject({ status: 403, sipStatus: 403 });
    expect(thrown(() => t.client.disconnect())).toBe('INVALID_STATE_ERROR');
  });

  it('where a later sign-in of the DN has won leaves the client signed out, and asks nowhere else', async () => {
    const t = await signedIn(kBoth);
    t.gateway.signIn = () => ({ status: 409, text: 'A later sign-in of the DN took the place of this one' });
    const urls: string[] = [];
    vi.spyOn(t.platform, 'request').mockImplementation((request) => {
      if (request.url.includes('/sign_in')) urls.push(new URL(request.url).origin);
      return t.gateway.handle(request);
    });
    t.gateway.failPolls = [0, 404];
    t.gateway.endPoll(200);
    await pass(200 + 3000);
    await pass(60_000);
    expect(urls).toEqual([kOne]);
    expect(t.last('onFailed')).toMatchObject({ status: 409 });
    expect(t.names().slice(-2)).toEqual(['onFailed', 'onDisconnect']);
  });

  it('is not signed out by an attempt that went on with the session, and was given up in that moment', async () => {
    const t = await forgotten((fixture) => {
      fixture.gateway.signIn = () => null;
      return Promise.resolve();
    });
    t.gateway.answerSignIns(200, `id=S1\nfeatures=${kFeatures}\ntaken=0`);
    t.gateway.signIn = () => ({ status: 200, text: `id=S1\nfeatures=${kFeatures}\ntaken=0` });
    t.platform.changeNetwork();
    await settle();
    expect(t.last('onReconnect')).toMatchObject({ resumed: true });
    expect(t.gateway.requestsFor('sign_out')).toEqual([]);
  });

  it('that is not ready yet is asked again, after pauses that grow', async () => {
    const t = await forgotten((fixture) => {
      fixture.gateway.signIn = () => ({ status: 503, text: 'starting' });
      return Promise.resolve();
    });
    const asked = (): number => t.gateway.requestsFor('sign_in').length - 1;
    expect(asked()).toBe(1);
    await pass(3000);
    expect(asked()).toBe(2);
    await pass(6000);
    expect(asked()).toBe(3);
    t.gateway.signIn = null;
    t.platform.changeNetwork(); // now
    await settle();
    expect(t.names().at(-1)).toBe('onReconnect');
  });

  it('while we slept, which only another network tells, is signed in to again', async () => {
    const t = await signedIn();
    t.gateway.failPolls = [404];
    t.platform.changeNetwork();
    await settle();
    expect(t.names()).toEqual(['onRegister', 'onReconnect']);
  });

  it('on purpose, without having been out of reach, signs the client out: someone else may have the DN now', async () => {
    const t = await signedIn();
    await pass(10_000);
    t.gateway.endPoll(410);
    await pass(60_000);
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(1);
  });

  it('behind a load balancer that has gone over to another gateway without our noticing, is signed in to again', async () => {
    const t = await signedIn();
    await pass(10_000);
    t.gateway.endPoll(404);
    await pass(1_000);
    expect(t.names()).toEqual(['onRegister', 'onReconnect']);
  });

  it('at once, before it has ever worked, is not signed in to again and again', async () => {
    const t = await signedIn();
    t.gateway.endPoll(404);
    await pass(60_000);
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(t.gateway.requestsFor('sign_in')).toHaveLength(1);
  });
});
