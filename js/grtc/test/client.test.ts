// Signing in and out, polling, local media and settings, against the fake gateway in virtual time.

import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeElement } from '../src/platform/fake/media.js';
import { Fixture, pass, settle, thrown } from './fixture.js';

const kSignIn = 'POST /sign_in?features=ack,progress,provisional,websocket';

const kErrorTable = new URL('../../../docs/errors.md', import.meta.url);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('connect and register', () => {
  it('connect signs in under a fresh anonymous id and fires onConnect', async () => {
    const t = new Fixture();
    t.client.connect();
    await settle();
    expect(t.gateway.requests[0]).toBe(kSignIn);
    expect(t.gateway.signInBodies[0]).toMatch(/^anon[0-9a-f]{32}:undefined$/);
    expect(t.names()).toEqual(['onConnect']);
    expect(t.gateway.openPolls).toEqual(['http://gw.example:8086/wait?id=S1']);
  });

  it('register signs in as the DN and fires onRegister', async () => {
    const t = await new Fixture().signIn('1020');
    expect(t.gateway.requests[0]).toBe(kSignIn);
    expect(t.gateway.signInBodies).toEqual(['1020:undefined']);
    expect(t.names()).toEqual(['onRegister']);
  });

  it('register takes a number, and any id as it is', async () => {
    const t = new Fixture();
    t.client.register(1020);
    await settle();
    t.client.register('a+b@c d#&');
    await settle();
    expect(t.gateway.signInBodies).toEqual(['1020:undefined', 'a+b@c d#&:undefined']);
  });

  it('an id with a colon goes as a query, where only what it cannot hold is encoded', async () => {
    const t = new Fixture();
    t.client.register('sip:a+b@c d#&');
    await settle();
    expect(t.gateway.requestsFor('sign_in')).toEqual(['GET /sign_in?sip:a+b@c%20d%23%26']);
  });

  it('register without a DN uses sip_username and sip_password', async () => {
    const t = new Fixture({ sip_username: '1030', sip_password: 'se:cret' });
    t.client.register();
    await settle();
    expect(t.gateway.signInBodies).toEqual(['1030:se:cret']);
  });

  it("the password goes along with a DN unless it is another user's", async () => {
    const own = new Fixture({ sip_password: 'secret' });
    own.client.register('1020');
    const other = new Fixture({ sip_username: '1030', sip_password: 'secret' });
    other.client.register('1020');
    await settle();
    expect(own.gateway.signInBodies).toEqual(['1020:secret']);
    expect(other.gateway.signInBodies).toEqual(['1020:undefined']);
  });

  it('register without any DN fires onFailed and asks the gateway nothing', async () => {
    const t = new Fixture();
    t.client.register('');
    await settle();
    expect(t.names()).toEqual(['onFailed']);
    expect(t.gateway.requests).toEqual([]);
  });

  it('a refused REGISTER reaches the page as onFailed with the reason', async () => {
    const t = new Fixture();
    t.gateway.signIn = () => ({ status: 403, text: 'Forbidden: wrong password\n' });
    await t.signIn();
    expect(t.events).toEqual([['onFailed', { message: 'Forbidden: wrong password', status: 403 }]]);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('a reply that is none of a gateway fires onFailed', async () => {
    const t = new Fixture();
    t.gateway.signIn = () => ({ status: 200, text: '<html>hello</html>' });
    await t.signIn();
    expect(t.names()).toEqual(['onFailed']);
  });

  it('signing in again signs out first', async () => {
    const t = await new Fixture().signIn();
    t.client.connect();
    await settle();
    expect(t.gateway.requests.filter((request) => !request.includes('wait'))).toEqual([
      kSignIn,
      'GET /sign_out?id=S1',
      kSignIn,
    ]);
    expect(t.names()).toEqual(['onRegister', 'onConnect']);
    expect(t.gateway.openPolls).toEqual(['http://gw.example:8086/wait?id=S2']);
  });

  it('a second sign-in while the first is pending takes its place', async () => {
    const t = new Fixture();
    t.gateway.signIn = ({ body }) => (body === '1020:undefined' ? null : { status: 200, text: 'id=T' });
    t.client.register('1020');
    t.client.register('1021');
    await settle();
    expect(t.names()).toEqual(['onRegister']);
    expect(t.gateway.openPolls).toEqual(['http://gw.example:8086/wait?id=T']);
  });
});

describe('Several gateways', () => {
  const kTwo = { webrtc_gateway: 'http://one.example:1,http://two.example:2' };

  it('the next one is tried when one cannot be reached, with onFailed for the failover', async () => {
    const t = new Fixture(kTwo);
    t.gateway.down.add('http://one.example:1');
    await t.signIn();
    expect(t.names()).toEqual(['onFailed', 'onRegister']);
    expect(t.gateway.openPolls).toEqual(['http://two.example:2/wait?id=S1']);
  });

  it('the next one is tried when a proxy says that one is not available', async () => {
    const t = new Fixture(kTwo);
    t.gateway.signIn = ({ url }) => {
      return url.startsWith('http://one') ? { status: 503, text: '' } : { status: 200, text: 'id=T' };
    };
    await t.signIn();
    expect(t.names()).toEqual(['onFailed', 'onRegister']);
  });

  it('a refusal is not carried to the next one', async () => {
    const t = new Fixture(kTwo);
    t.gateway.signIn = () => ({ status: 403, text: 'Forbidden' });
    await t.signIn();
    expect(t.events).toEqual([['onFailed', { message: 'Forbidden', status: 403 }]]);
    expect(t.gateway.requests).toHaveLength(1);
  });

  it('nor is one whose place another sign-in of the DN has taken: it would be signed in at both', async () => {
    const t = new Fixture(kTwo);
    const [, text = ''] = /^\| E13 \|.*\| 409 \| (.*?) \|$/m.exec(readFileSync(kErrorTable, 'utf8')) ?? [];
    t.gateway.signIn = () => ({ status: 409, text });
    await t.signIn();
    expect(text).toContain('later sign-in');
    expect(t.events).toEqual([['onFailed', { message: text, status: 409 }]]);
    expect(t.gateway.requests).toHaveLength(1);
  });

  it('when none can be reached onFailed is fired for each and the client stays signed out', async () => {
    const t = new Fixture(kTwo);
    t.gateway.down.add('http://one.example:1').add('http://two.example:2');
    await t.signIn();
    expect(t.names()).toEqual(['onFailed', 'onFailed']);
    expect(thrown(() => t.client.disconnect())).toBe('INVALID_STATE_ERROR');
  });

  it('a new sign-in begins with the gateway that worked', async () => {
    const t = new Fixture(kTwo);
    t.gateway.down.add('http://one.example:1');
    await t.signIn();
    await t.signIn();
    expect(t.count('onFailed')).toBe(1);
    expect(t.gateway.openPolls).toEqual(['http://two.example:2/wait?id=S2']);
  });
});

describe('disconnect', () => {
  it('throws INVALID_STATE_ERROR unless signed in', async () => {
    const t = new Fixture();
    expect(thrown(() => t.client.disconnect())).toBe('INVALID_STATE_ERROR');
    t.gateway.signIn = () => null;
    t.client.connect();
    expect(thrown(() => t.client.disconnect())).toBe('INVALID_STATE_ERROR');
  });

  it('signs out with a request that survives the page, stops polling and fires onDisconnect', async () => {
    const t = await new Fixture().signIn();
    t.client.disconnect();
    await settle();
    expect(t.gateway.requests.at(-1)).toBe('GET /sign_out?id=S1');
    expect(t.gateway.keepalives).toEqual(['/sign_out']);
    expect(t.gateway.openPolls).toEqual([]);
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(thrown(() => t.client.disconnect())).toBe('INVALID_STATE_ERROR');
  });

  it('fires onDisconnect also when the gateway cannot be told', async () => {
    const t = await new Fixture().signIn();
    t.gateway.down.add('http://gw.example:8086');
    t.client.disconnect();
    await settle();
    expect(t.names().at(-1)).toBe('onDisconnect');
  });

  it('ends a call, which the page hears of', async () => {
    const t = await new Fixture().call();
    t.client.disconnect();
    await settle();
    expect(t.names().slice(-2)).toEqual(['onPeerClosing', 'onDisconnect']);
    expect(t.platform.connection.closed).toBe(true);
  });
});

describe('Polling', () => {
  it('gives up after polling_timeout and polls again at once, without an event', async () => {
    const t = await new Fixture({ polling_timeout: 12000 }).signIn();
    const polls = (): number => t.gateway.requests.filter((request) => request.includes('/wait')).length;
    await pass(11999);
    expect(polls()).toBe(1);
    await pass(1);
    expect(polls()).toBe(2);
    expect(t.gateway.openPolls).toHaveLength(1);
    expect(t.count('onConnectionError')).toBe(0);
  });

  it('never gives up with polling_timeout 0', async () => {
    const t = await new Fixture({ polling_timeout: 0 }).signIn();
    await pass(3_600_000);
    expect(t.gateway.requests.filter((request) => request.includes('/wait'))).toHaveLength(1);
  });

  it.each([
    ['the network', 0],
    ['status 500', 500],
    ['status 404', 404],
  ])('a failure by %s fires onConnectionError and is tried again after 3 s, again and again', async (_, failure) => {
    const t = new Fixture();
    t.gateway.failPolls = [failure, failure];
    await t.signIn();
    expect(t.count('onConnectionError')).toBe(1);
    await pass(2999);
    expect(t.count('onConnectionError')).toBe(1);
    await pass(1);
    expect(t.count('onConnectionError')).toBe(2);
    await pass(3000);
    expect(t.gateway.openPolls).toHaveLength(1);
    t.gateway.send('EVENT-TALK'); // the connection is of use again
    await settle();
    expect(t.count('onConnectionError')).toBe(2);
  });

  it('the page may disconnect while it hears of a failure', async () => {
    const t = new Fixture();
    t.client.onConnectionError.add(() => t.client.disconnect());
    t.gateway.failPolls = [0];
    await t.signIn();
    await pass(10000);
    expect(t.names()).toEqual(['onRegister', 'onConnectionError', 'onDisconnect']);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('an empty reply means nothing yet; many of them at once do not make it spin', async () => {
    const t = await new Fixture().signIn();
    await pass(25000);
    t.gateway.endPoll(200);
    await settle();
    expect(t.gateway.openPolls).toHaveLength(1);
    t.gateway.endPoll(200);
    await settle();
    expect(t.gateway.openPolls).toHaveLength(0);
    await pass(200);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('another status of success means that the gateway has signed us out', async () => {
    const t = await new Fixture().signIn();
    t.gateway.endPoll(204);
    await pass(5000);
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(t.gateway.openPolls).toEqual([]);
    expect(thrown(() => t.session.makeOffer('1021'))).toBe('INVALID_STATE_ERROR');
  });

  it('asks for nothing that the gateway has not announced', async () => {
    const t = await new Fixture().signIn();
    expect(t.gateway.openPolls[0]).toBe('http://gw.example:8086/wait?id=S1');
  });

  it('acknowledges what it has seen and ignores what comes again', async () => {
    const t = new Fixture();
    t.gateway.features = 'ack,progress';
    await t.signIn();
    expect(t.gateway.openPolls[0]).toMatch(/\/wait\?id=S1&ack=0&features=ack,progress$/);
    t.gateway.send('INFO-PEER n=1');
    t.gateway.send('INFO-PEER n=2');
    await settle();
    expect(t.gateway.openPolls[0]).toMatch(/&ack=2&features=ack,progress$/);
    t.gateway.sendAgain('INFO-PEER n=2', null, 2);
    await settle();
    expect(t.count('onInfoFromPeer')).toBe(2);
  });

  it('a handler that throws does not stop it', async () => {
    const t = await new Fixture().signIn();
    t.client.onInfoFromPeer.add(() => {
      throw new Error('page bug');
    });
    t.gateway.send('INFO-PEER n=1');
    t.gateway.send('INFO-PEER n=2');
    await settle();
    expect(t.count('onInfoFromPeer')).toBe(2);
  });
});

describe('The media source', () => {
  it('asks for both by default and fires onMediaSuccess with the stream', async () => {
    const t = new Fixture();
    t.client.enableMediaSource();
    await settle();
    expect(t.platform.askedFor).toEqual([{ audio: true, video: true }]);
    expect(t.last('onMediaSuccess')).toEqual({ stream: t.platform.streams[0] });
  });

  it('passes constraints, those of long ago translated', async () => {
    const t = new Fixture();
    t.client.enableMediaSource(true, { mandatory: { minWidth: 360 } });
    await settle();
    expect(t.platform.askedFor).toEqual([{ audio: true, video: { width: { min: 360 } } }]);
  });

  it('fires onMediaFailure with what the browser says', async () => {
    const t = new Fixture();
    t.platform.mediaFailure = Object.assign(new Error('Permission denied'), { name: 'NotAllowedError' });
    t.client.enableMediaSource();
    await settle();
    expect(t.events).toEqual([
      ['onMediaFailure', { message: 'NotAllowedError: Permission denied', name: 'NotAllowedError' }],
    ]);
  });

  it('throws WEBRTC_NOT_SUPPORTED_ERROR in a browser without WebRTC', () => {
    const t = new Fixture();
    t.platform.supported = false;
    expect(thrown(() => t.client.enableMediaSource())).toBe('WEBRTC_NOT_SUPPORTED_ERROR');
  });

  it('is stopped by disableMediaSource, also when it comes only afterwards', async () => {
    const t = await new Fixture().enableMedia();
    t.client.disableMediaSource();
    t.client.disableMediaSource();
    expect(t.platform.streams[0]?.getTracks().map((track) => track.readyState)).toEqual(['ended', 'ended']);
    t.platform.mediaDelay = 1000;
    t.client.enableMediaSource();
    t.client.disableMediaSource();
    await pass(1000);
    expect(t.platform.streams[1]?.getTracks().map((track) => track.readyState)).toEqual(['ended', 'ended']);
    expect(t.names()).toEqual(['onMediaSuccess', 'onMediaFailure']);
  });

  it('enabled again, replaces the one before, which is stopped', async () => {
    const t = await new Fixture().enableMedia();
    await t.enableMedia(true, false);
    expect(t.platform.streams[0]?.getTracks().every((track) => track.readyState === 'ended')).toBe(true);
    expect(t.platform.streams[1]?.getTracks().every((track) => track.readyState === 'live')).toBe(true);
  });
});

describe('setViewFromStream', () => {
  it('shows a stream and starts it; the own stream without sound', async () => {
    const t = await new Fixture().enableMedia();
    const view = new FakeElement();
    const element = view as unknown as HTMLMediaElement;
    const [own] = t.platform.streams;
    t.client.setViewFromStream(element, own as unknown as MediaStream);
    expect([view.srcObject, view.muted, view.played]).toEqual([own, true, 1]);
    const remote = t.platform.createStream([]);
    t.client.setViewFromStream(element, remote);
    expect([view.srcObject, view.muted]).toEqual([remote, false]);
  });

  it('leaves alone what the page has muted itself', () => {
    const t = new Fixture();
    const view = new FakeElement();
    view.muted = true;
    t.client.setViewFromStream(view as unknown as HTMLMediaElement, t.platform.createStream([]));
    expect(view.muted).toBe(true);
  });

  it('throws NOT_READY_ERROR for a wrong object or no stream', () => {
    const t = new Fixture();
    const stream = t.platform.createStream([]);
    for (const wrong of [null, undefined, {}, 'localView']) {
      expect(thrown(() => t.client.setViewFromStream(wrong as HTMLMediaElement, stream))).toBe('NOT_READY_ERROR');
    }
    const view = new FakeElement() as unknown as HTMLMediaElement;
    expect(thrown(() => t.client.setViewFromStream(view, null as unknown as MediaStream))).toBe('NOT_READY_ERROR');
  });
});

describe('Logging', () => {
  it('writes up to the level set and ignores a level that is none', () => {
    const t = new Fixture();
    t.client.logDebug('hidden');
    t.client.setLogLevel(4);
    t.client.logDebug('debug');
    t.client.logInfo('info');
    t.client.setLogLevel(9 as 4);
    t.client.setLogLevel(1);
    t.client.logNotice('hidden');
    t.client.logError('error', new Error('why'));
    t.client.setLogLevel(0);
    t.client.logError('hidden');
    const lines = t.platform.lines.map(({ line }) => line);
    expect(lines).toEqual(['debug', 'info', 'setLogLevel: not a log level: 9', 'error why']);
  });
});
