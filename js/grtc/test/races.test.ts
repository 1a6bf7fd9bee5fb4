// What crosses on the wire, and what comes at an awkward moment: nothing may be left ringing, and no call may be ended by
// what was said of another one.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { directions, Fixture, kGateway, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kAudio: [string, 'sendrecv'][] = [['audio', 'sendrecv']];

describe('A call without an offer that the page has accepted', () => {
  async function invited(): Promise<Fixture> {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.gateway.send('INVITE', '1021');
    await settle();
    return t;
  }

  it('and ends before its offer is ready is ended at the gateway too, where the caller waits', async () => {
    const t = await invited();
    t.session.acceptCall();
    await pass(1);
    t.session.terminateCall();
    await pass(20);
    expect(t.gateway.bodies).toEqual(['BYE']);
  });

  it('for which the browser makes no offer is ended at the gateway too', async () => {
    const t = await invited();
    t.failNext('createOffer');
    t.session.acceptCall();
    await pass(20);
    expect(t.names().slice(-2)).toEqual(['onWebrtcError', 'onPeerClosing']);
    expect(t.gateway.bodies).toEqual(['BYE']);
  });

  it('with no media at all still waits, to be accepted otherwise or rejected', async () => {
    const t = await invited();
    expect(thrown(() => t.session.acceptCall(false, false))).toBe('GRTC_ERROR');
    t.session.rejectCall();
    await settle();
    expect(t.gateway.bodies).toEqual(['BYE']);
  });

  it('and that the caller gives up while the offer is made ends once', async () => {
    const t = await invited();
    t.session.acceptCall();
    t.gateway.send('BYE', '1021');
    await pass(20);
    expect(t.count('onPeerClosing')).toBe(1);
    expect(t.gateway.bodies).toEqual([]);
  });

  it('is not blamed for what the gateway complained about before', async () => {
    const t = await new Fixture().signIn();
    t.sendRoap('ERROR', { errorType: 'FAILED', sipStatus: 400, reason: 'no message' });
    t.gateway.send('INVITE', '1021');
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021' });
  });
});

describe('Hanging up while the far end says something', () => {
  async function hungUp(arrives = false): Promise<Fixture> {
    const t = await new Fixture().call(true, false);
    if (!arrives) t.gateway.failPosts = 1;
    t.session.terminateCall();
    await settle();
    return t;
  }

  it('a change of the call that has ended does not ring', async () => {
    const t = await hungUp();
    await t.offer(kAudio, { seq: 2 });
    t.gateway.send('INVITE', '1021');
    t.gateway.send('EVENT-TALK', '1021');
    await settle();
    expect([t.count('onIncomingCall'), t.count('onNotifyEvent')]).toEqual([0, 0]);
    await pass(3000);
    expect(t.gateway.bodies.at(-1)).toBe('BYE');
  });

  it('nor does one that was on its way when the gateway heard of the end', async () => {
    const t = await hungUp(true);
    await t.offer(kAudio, { seq: 2 });
    expect(t.count('onIncomingCall')).toBe(0);
  });

  it('a new call of the same peer rings', async () => {
    const t = await hungUp(true);
    await t.offer(kAudio, { offererSessionId: 6, seq: 1 });
    expect(t.last('onIncomingCall')).toEqual({ peer: '1021' });
  });

  it('a call of someone else rings, though the gateway may not have heard of the end yet', async () => {
    const t = await hungUp();
    await t.offer(kAudio, { seq: 2 }, '1022');
    expect(t.last('onIncomingCall')).toEqual({ peer: '1022' });
  });

  it.each(['1021', '1022'])('its BYE does not end the call to %s that the page makes at once', async (next) => {
    const t = await hungUp();
    t.session.makeOffer(next, true, false);
    t.gateway.send('BYE', '1021');
    await pass(20);
    expect(t.count('onPeerClosing')).toBe(0);
    await pass(3000);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
  });
});

describe('A change that was refused', () => {
  it('of the media is no longer wished for, so that the call can still be held', async () => {
    const t = await new Fixture().call(true, false);
    t.client.enableMediaSource(true, true);
    await settle();
    t.session.makeOffer(null, true, true);
    await pass(20);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
    t.sendRoap('ERROR', { errorType: 'FAILED', sipStatus: 488, seq: t.lastOffer().seq });
    await settle();
    t.session.holdCall();
    await pass(20);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio inactive']);
  });

  it('leaves alone what the page has asked for since', async () => {
    const t = await new Fixture().call(true, false);
    t.session.holdCall();
    await pass(20);
    t.client.enableMediaSource(true, true);
    t.session.makeOffer(null, true, true);
    t.sendRoap('ERROR', { errorType: 'FAILED', sipStatus: 500, seq: t.lastOffer().seq });
    await pass(20);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
  });
});

describe('Signing in at an awkward moment', () => {
  it('a page that signs in as its call ends there, because it signs in, is signed in once', async () => {
    const t = await new Fixture().call();
    t.client.onPeerClosing.add(() => t.client.register('1030'));
    t.client.register('1029');
    await settle();
    expect(t.names().slice(-2)).toEqual(['onPeerClosing', 'onRegister']);
    expect(t.last('onRegister')).toEqual({ message: 'Signed in as 1030.' });
    expect(t.gateway.openPolls).toHaveLength(1);
    t.client.disconnect();
    await settle();
    expect(t.last('onDisconnect')).toBeDefined();
  });

  it('a page that disconnects and connects in one breath hears of both, in this order', async () => {
    const t = await new Fixture().signIn();
    t.client.disconnect();
    t.client.connect();
    await settle();
    expect(t.names()).toEqual(['onRegister', 'onDisconnect', 'onConnect']);
    expect(t.gateway.requestsFor('sign_out')).toEqual(['GET /sign_out?id=S1']);
  });

  it('a page that connects again whenever it is disconnected is signed in once', async () => {
    const t = await new Fixture().signIn();
    t.client.onDisconnect.add(() => t.client.connect());
    t.client.disconnect();
    t.client.register('1021');
    await settle();
    expect(t.names()).toEqual(['onRegister', 'onDisconnect', 'onRegister']);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('a sign-in that is answered as another one takes its place is taken back', async () => {
    const t = new Fixture();
    t.gateway.signIn = ({ body }) => (body === '1020:undefined' ? null : { status: 200, text: 'id=T' });
    t.client.register('1020');
    await settle();
    t.gateway.answerSignIns(200, 'id=EARLIER');
    t.client.register('1021');
    await settle();
    expect(t.gateway.requestsFor('sign_out')).toEqual(['GET /sign_out?id=EARLIER']);
    expect(t.names()).toEqual(['onRegister']);
    expect(t.gateway.openPolls).toEqual([`${kGateway}/wait?id=T`]);
  });
});

describe('A call that ends for a reason of its own says which', () => {
  it('because the sign-in that it waited for was refused', async () => {
    const t = new Fixture();
    t.gateway.signIn = () => ({ status: 403, text: 'The SIP server does not let 1020 sign in (403 Forbidden)' });
    t.client.register('1020');
    t.session.makeOffer('1021');
    await pass(20);
    expect(t.last('onPeerClosing')).toEqual({
      peer: '1021',
      error: 'FAILED',
      reason: 'The SIP server does not let 1020 sign in (403 Forbidden)',
    });
  });

  it('because the gateway has lost it', async () => {
    const t = new Fixture();
    t.gateway.features = 'ack,resume';
    await t.signIn();
    t.session.makeOffer('1021');
    await pass(20);
    t.gateway.failPolls = [0, 404];
    t.gateway.endPoll(200);
    await pass(200 + 3000);
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021', error: 'FAILED', reason: 'The gateway has lost the call.' });
  });
});

describe('A client that is not signed in', () => {
  it('leaves nothing with the browser', async () => {
    const t = new Fixture();
    expect(t.platform.networkListeners).toBe(0);
    await t.signIn();
    await t.signIn('1022');
    expect(t.platform.networkListeners).toBe(1);
    t.client.disconnect();
    await settle();
    expect(t.platform.networkListeners).toBe(0);
    t.gateway.signIn = () => ({ status: 403, text: 'no' });
    await t.signIn();
    expect(t.platform.networkListeners).toBe(0);
  });

  it('nor one that the gateway has signed out', async () => {
    const t = await new Fixture().signIn();
    t.gateway.endPoll(204);
    await settle();
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(t.platform.networkListeners).toBe(0);
  });
});
