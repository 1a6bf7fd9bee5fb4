// Calls that come in, with and without an offer.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { directions, Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kBoth: [string, 'sendrecv'][] = [
  ['audio', 'sendrecv'],
  ['video', 'sendrecv'],
];

describe('An incoming call', () => {
  it('is announced, and accepted with an ANSWER to exactly the peer that the offer came with', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    await t.offer(kBoth, { offererSessionId: 'abc', seq: 4 }, 'sip:Bob@example');
    expect(t.last('onIncomingCall')).toEqual({ peer: 'sip:Bob@example' });
    expect(t.gateway.posts).toEqual([]);
    t.session.acceptCall();
    await pass(10);
    expect(t.gateway.posts[0]?.to).toBe('sip:Bob@example');
    const [answer] = t.roap('ANSWER');
    expect(answer).toMatchObject({ offererSessionId: 'abc', answererSessionId: 1, seq: 4 });
    expect(directions(answer?.sdp ?? '')).toEqual(['audio sendrecv', 'video sendrecv']);
    expect(t.session.isEstablished()).toBe(true);
    expect(t.count('onRemoteStream')).toBe(1);
    t.sendRoap('OK', { seq: 4 });
    await settle();
    expect(t.session.isEstablished()).toBe(true);
  });

  it('accepted with audio only refuses the video section', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    await t.offer(kBoth);
    t.session.acceptCall(true, false);
    await pass(10);
    expect(directions(t.roap('ANSWER')[0]?.sdp ?? '')).toEqual(['audio sendrecv', 'video refused']);
    expect([t.session.hasAudioEnabled(), t.session.hasVideoEnabled()]).toEqual([true, false]);
  });

  it('accepted without a camera receives video only', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia(true, false);
    await t.offer(kBoth);
    t.session.acceptCall();
    await pass(10);
    expect(directions(t.roap('ANSWER')[0]?.sdp ?? '')).toEqual(['audio sendrecv', 'video recvonly']);
  });

  it('uses setMediaConstraintsForAnswer where acceptCall is given nothing', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.client.setMediaConstraintsForAnswer(true, false);
    await t.offer(kBoth);
    t.session.acceptCall();
    await pass(10);
    expect(directions(t.roap('ANSWER')[0]?.sdp ?? '')).toEqual(['audio sendrecv', 'video refused']);
  });

  it('is rejected with BYE', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth);
    t.session.rejectCall();
    await settle();
    expect(t.gateway.posts).toMatchObject([{ to: '1021', body: 'BYE' }]);
    expect(thrown(() => t.session.rejectCall())).toBe('INVALID_STATE_ERROR');
    expect(thrown(() => t.session.acceptCall())).toBe('INVALID_STATE_ERROR');
  });

  it('that the caller cancels fires onPeerClosing and cannot be accepted any more', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth);
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.names()).toEqual(['onRegister', 'onIncomingCall', 'onPeerClosing']);
    expect(thrown(() => t.session.acceptCall())).toBe('INVALID_STATE_ERROR');
  });

  it('can be accepted within the handler, by a session made there, as in the guide', async () => {
    const t = await new Fixture().signIn();
    t.client.onIncomingCall.add(() => {
      const session = t.newSession();
      session.acceptCall();
      expect(session.getData()).toEqual([{ key: 'Name', value: 'Bob' }]);
    });
    await t.offer(kBoth, { attacheddata: [{ key: 'Name', value: 'Bob' }] });
    await pass(10);
    expect(t.roap('ANSWER')).toHaveLength(1);
  });

  it('blocks an outgoing one until it is decided', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth);
    expect(thrown(() => t.session.makeOffer('1022'))).toBe('INVALID_STATE_ERROR');
    expect(thrown(() => t.session.terminateCall())).toBe('INVALID_STATE_ERROR');
    t.session.rejectCall();
    expect(thrown(() => t.session.makeOffer('1022'))).toBe(null);
  });

  it('that the browser cannot answer is ended with BYE', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth);
    t.failNext('createAnswer');
    t.session.acceptCall();
    await pass(10);
    expect(t.names().slice(-2)).toEqual(['onWebrtcError', 'onPeerClosing']);
    expect(t.gateway.bodies).toEqual(['BYE']);
  });
});

describe('An incoming call without an offer', () => {
  it('is announced, and accepting it makes the offer', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.gateway.send('INVITE', '1021');
    await settle();
    expect(t.names().slice(-2)).toEqual(['onIncomingCall', 'onInvite']);
    t.session.acceptCall(true, false);
    await pass(10);
    expect(t.gateway.posts[0]?.to).toBe('1021');
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv']);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
  });

  it('is answered by makeCall in a handler of onInvite', async () => {
    const t = await new Fixture().signIn();
    t.client.onInvite.add(({ peer }) => t.session.makeCall(peer));
    t.gateway.send('INVITE', '1021');
    await pass(10);
    expect(t.roap('OFFER')).toHaveLength(1);
  });

  it('does not fire onInvite when it was dealt with in onIncomingCall', async () => {
    const t = await new Fixture().signIn();
    t.client.onIncomingCall.add(() => t.session.rejectCall());
    t.gateway.send('INVITE', '1021');
    await settle();
    expect(t.count('onInvite')).toBe(0);
  });

  it('within a call offers what setMediaConstraintsForOffer says, once that has been called', async () => {
    const t = await new Fixture().call();
    t.client.setMediaConstraintsForOffer(true, false);
    t.gateway.send('INVITE', '1021');
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video inactive']);
  });

  it('within a call makes a fresh offer at once', async () => {
    const t = await new Fixture().call();
    t.gateway.send('INVITE', '1021');
    await pass(10);
    expect(t.roap('OFFER')).toHaveLength(2);
    expect(t.count('onIncomingCall')).toBe(0);
  });
});
