// What negotiation within a call does: hold by either side, talk and hold events, renegotiation, glare.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { directions, Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kBoth: [string, 'sendrecv'][] = [
  ['audio', 'sendrecv'],
  ['video', 'sendrecv'],
];
const kAudio: [string, 'sendrecv'][] = [['audio', 'sendrecv']];

describe('Hold by the page', () => {
  it('offers inactive, tells onSessionHold, and resumes with onRemoteStream', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    expect(t.session.isEstablished()).toBe(false);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio inactive', 'video inactive']);
    await t.answer();
    expect(t.last('onSessionHold')).toEqual({ isTrue: true });
    expect(t.session.isEstablished()).toBe(true);
    expect([t.session.hasAudioEnabled(), t.session.hasVideoEnabled()]).toEqual([true, true]);
    t.session.resumeCall();
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
    await t.answer();
    expect(t.names().slice(-2)).toEqual(['onSessionHold', 'onRemoteStream']);
  });

  it('and resume in one breath end in the state asked for last', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    t.session.resumeCall();
    t.session.holdCall();
    await pass(10);
    await t.answer();
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio inactive', 'video inactive']);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
  });

  it('stays when the connection is repaired meanwhile', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    await pass(10);
    await t.answer();
    t.session.makeOffer();
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio inactive', 'video inactive']);
  });

  it('that the gateway refuses leaves the call as it was', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    await pass(10);
    t.sendRoap('ERROR', { errorType: 'REFUSED', seq: t.lastOffer().seq });
    await settle();
    expect(t.count('onGatewayError')).toBe(1);
    expect(t.session.isEstablished()).toBe(true);
    expect(t.count('onSessionHold')).toBe(0);
    t.session.makeOffer();
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
  });

  it('throws INVALID_STATE_ERROR without a call', () => {
    const t = new Fixture();
    expect(thrown(() => t.session.holdCall())).toBe('INVALID_STATE_ERROR');
    expect(thrown(() => t.session.resumeCall())).toBe('INVALID_STATE_ERROR');
  });
});

describe('Hold by the far end', () => {
  it.each(['sendonly', 'inactive'] as const)('as %s is answered and told, and so is its end', async (direction) => {
    const t = await new Fixture().call(true, false);
    await t.offer([['audio', direction]], { seq: 2 });
    await pass(10);
    expect(t.roap('ANSWER')).toHaveLength(1);
    expect(t.count('onSessionHold')).toBe(1);
    expect(t.count('onIncomingCall')).toBe(0);
    expect([t.session.isEstablished(), t.session.hasAudioEnabled()]).toEqual([true, true]);
    await t.offer(kAudio, { seq: 3 });
    await pass(10);
    expect(directions(t.roap('ANSWER')[1]?.sdp ?? '')).toEqual(['audio sendrecv']);
    expect(t.names().slice(-2)).toEqual(['onSessionHold', 'onRemoteStream']);
  });

  it('is none when only we receive anyway', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021', true, false);
    await pass(10);
    await t.answer();
    expect(directions(t.lastOffer().sdp)).toEqual(['audio recvonly']);
    await t.offer([['audio', 'sendonly']], { seq: 2 });
    await pass(10);
    expect(t.count('onSessionHold')).toBe(0);
  });

  it('while we hold too keeps the call held until both resume', async () => {
    const t = await new Fixture().call(true, false);
    t.session.holdCall();
    await pass(10);
    await t.answer();
    await t.offer([['audio', 'inactive']], { seq: 5 });
    await pass(10);
    await t.offer(kAudio, { seq: 6 });
    await pass(10);
    expect(directions(t.roap('ANSWER')[1]?.sdp ?? '')).toEqual(['audio inactive']);
    expect(t.count('onSessionHold')).toBe(1);
    expect(t.count('onRemoteStream')).toBe(1);
  });
});

describe('talk and hold events', () => {
  it('talk answers a waiting call without asking, with the session that the page has made', async () => {
    const t = await new Fixture().signIn();
    await t.offer(kBoth);
    t.gateway.send('EVENT-TALK', '1021');
    await pass(10);
    expect(t.roap('ANSWER')).toHaveLength(1);
    expect(t.last('onNotifyEvent')).toEqual({ peer: '1021', event: 'talk' });
    expect(t.session.isEstablished()).toBe(true);
  });

  it('hold holds and talk resumes, each once', async () => {
    const t = await new Fixture().call();
    for (const [event, direction] of [
      ['EVENT-HOLD', 'audio inactive'],
      ['EVENT-HOLD', 'audio inactive'],
      ['EVENT-TALK', 'audio sendrecv'],
      ['EVENT-TALK', 'audio sendrecv'],
    ]) {
      const before = t.roap('OFFER').length;
      t.gateway.send(event ?? '', '1021');
      await pass(10);
      if (t.roap('OFFER').length > before) await t.answer();
      expect(directions(t.lastOffer().sdp)[0]).toBe(direction);
    }
    expect(t.roap('OFFER')).toHaveLength(3);
    expect(t.count('onNotifyEvent')).toBe(4);
  });

  it('without a call are not passed on', async () => {
    const t = await new Fixture().signIn();
    t.gateway.send('EVENT-TALK', '1021');
    t.gateway.send('EVENT-HOLD', '1021');
    await settle();
    expect(t.count('onNotifyEvent')).toBe(0);
  });
});

describe('Renegotiation', () => {
  it('makes a new peer connection by default, with seq from 1 and the old one closed after the answer', async () => {
    const t = await new Fixture().call();
    const [first] = t.platform.connections;
    t.session.makeOffer();
    await pass(10);
    expect(t.platform.connections).toHaveLength(2);
    expect(t.lastOffer()).toMatchObject({ seq: 1, offererSessionId: 1 });
    expect(first?.closed).toBe(false);
    await t.answer();
    expect(first?.closed).toBe(true);
    expect(t.platform.connection.closed).toBe(false);
    expect(t.count('onRemoteStream')).toBe(2);
    t.session.closeSession();
    expect(t.platform.connection.closed).toBe(true);
  });

  it('on a new peer connection keeps every section in its place, also one that is not wanted any more', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    await t.offer([
      ['video', 'sendrecv'],
      ['audio', 'sendrecv'],
    ]);
    t.session.acceptCall();
    await pass(10);
    t.session.makeOffer(undefined, true, false);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['video inactive', 'audio sendrecv']);
    expect(t.platform.connection.transceivers[1]?.sender).toMatchObject({
      track: t.platform.streams[0]?.getTracks()[0],
      streams: [t.platform.streams[0]],
    });
  });

  it('keeps the peer connection after setRenewSessionOnNeed(false), and seq counts on', async () => {
    const t = new Fixture();
    t.client.setRenewSessionOnNeed(false);
    await t.call();
    t.session.makeOffer();
    await pass(10);
    expect(t.platform.connections).toHaveLength(1);
    expect(t.lastOffer().seq).toBe(2);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${t.platform.connection.number}g0`);
    await t.answer();
    expect(t.count('onRemoteStream')).toBe(1);
    await t.offer(kBoth, { seq: 7 });
    await pass(10);
    t.session.makeOffer();
    await pass(10);
    expect(t.lastOffer().seq).toBe(8);
  });

  it('restarts ICE on the same connection when that is broken, with the new candidates', async () => {
    const t = new Fixture();
    t.client.setRenewSessionOnNeed(false);
    await t.call();
    t.client.onIceDisconnected.add(() => t.session.makeOffer());
    t.platform.connection.setIceState('connected');
    t.platform.connection.setIceState('disconnected');
    expect(t.last('onIceDisconnected')).toEqual({ status: 'disconnected' });
    await pass(10);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${t.platform.connection.number}g1`);
    expect(t.lastOffer().Candidates.length).toBeGreaterThan(0);
    t.platform.connection.setIceState('failed');
    expect(t.count('onIceDisconnected')).toBe(1); // it is being repaired
  });

  it.each([true, false])('whose answer the browser refuses leaves nothing behind (connection renewed: %s)', async (renew) => {
    const t = await new Fixture().call();
    t.client.setRenewSessionOnNeed(renew);
    t.session.holdCall();
    await pass(20);
    t.platform.connection.failNext = 'setRemoteDescription';
    await t.answer();
    expect([t.count('onWebrtcError'), t.session.isEstablished()]).toEqual([1, true]);
    expect(t.platform.connections.map(({ closed }) => closed)).toEqual(renew ? [false, true] : [false]);
    expect(t.platform.connections[0]?.signalingState).toBe('stable');
    await t.offer([['audio', 'sendrecv'], ['video', 'sendrecv']], { seq: 3 });
    await pass(20);
    expect(t.session.isEstablished()).toBe(true);
    t.session.closeSession(true);
    expect(t.platform.connections.every(({ closed }) => closed)).toBe(true);
  });

  it('says what media there are after it, not before', async () => {
    const t = await new Fixture().call();
    t.session.makeOffer(null, true, false);
    await pass(20);
    expect(t.session.hasVideoEnabled()).toBe(true);
    await t.answer();
    expect(t.session.hasVideoEnabled()).toBe(false);
  });

  it('leaves no listeners behind on a connection that is kept', async () => {
    const t = await new Fixture().call();
    t.client.setRenewSessionOnNeed(false);
    const counted: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      t.platform.connection.setIceState('failed');
      await pass(20);
      await t.answer();
      counted.push(t.platform.connection.listenerCount);
    }
    expect(counted).toEqual([1, 1, 1]);
  });

  it('adds video when the page asks for it, and drops it again', async () => {
    const t = new Fixture();
    t.client.setRenewSessionOnNeed(false);
    await t.call(true, false);
    expect(t.session.hasVideoEnabled()).toBe(false);
    await t.enableMedia(true, true);
    t.session.makeOffer(undefined, true, true);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
    await t.answer();
    expect(t.session.hasVideoEnabled()).toBe(true);
    expect((t.last('onRemoteStream') as { stream: MediaStream }).stream.getTracks()).toHaveLength(2);
    t.session.makeOffer(undefined, true, false);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video inactive']);
    await t.answer();
    expect(t.session.hasVideoEnabled()).toBe(false);
  });

  it('a new source goes out at once without negotiation, and the old one stops then', async () => {
    const t = await new Fixture().call();
    const sender = t.platform.connection.transceivers[0]?.sender;
    await t.enableMedia();
    expect(sender?.track).toBe(t.platform.streams[1]?.getTracks()[0]);
    expect(t.platform.streams[0]?.getTracks().every((track) => track.readyState === 'ended')).toBe(true);
    expect(t.roap('OFFER')).toHaveLength(1);
  });

  it('by the far end keeps to the media of the call, unless the page has chosen what to answer', async () => {
    const t = await new Fixture().call(true, false);
    await t.enableMedia();
    await t.offer(kBoth, { seq: 2 });
    await pass(10);
    expect(directions(t.roap('ANSWER')[0]?.sdp ?? '')).toEqual(['audio sendrecv', 'video refused']);
    t.client.setMediaConstraintsForAnswer(true, true);
    await t.offer([...kAudio, ['video', 'inactive'], ['video', 'sendrecv']], { seq: 3 });
    await pass(10);
    expect(t.session.hasVideoEnabled()).toBe(true);
  });

  it('that the browser cannot offer is reported, and the call goes on', async () => {
    const t = new Fixture();
    t.client.setRenewSessionOnNeed(false);
    await t.call();
    t.platform.connection.failNext = 'createOffer';
    t.session.makeOffer();
    await pass(10);
    expect(t.count('onWebrtcError')).toBe(1);
    expect(t.session.isEstablished()).toBe(true);
    t.session.makeOffer();
    await pass(10);
    expect(t.roap('OFFER')).toHaveLength(2);
  });
});

describe('Glare', () => {
  it.each([
    ['being prepared', 5],
    ['pending', 20],
  ])('an OFFER that comes while ours is %s is dropped, and ours goes its way', async (_, wait) => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(wait);
    await t.offer(kBoth, {}, '1022');
    await pass(20);
    expect(t.count('onIncomingCall')).toBe(0);
    expect(t.roap('ANSWER')).toHaveLength(0);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
  });

  it('within a call too, and the gateway sends its offer again afterwards', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    await t.offer(kBoth, { seq: 2 });
    await pass(10);
    expect(t.roap('ANSWER')).toHaveLength(0);
    await t.answer();
    await t.offer(kBoth, { seq: 2 });
    await pass(10);
    expect(t.roap('ANSWER')).toHaveLength(1);
  });

  it('a change asked for while the far end negotiates waits its turn', async () => {
    const t = await new Fixture().call();
    t.sendRoap('OFFER', { sdp: '', Candidates: [] });
    await t.offer(kBoth, { seq: 2 });
    t.session.holdCall();
    await pass(10);
    expect(t.roap().map(({ messageType }) => messageType)).toEqual(['OFFER', 'OK', 'ANSWER', 'OFFER']);
  });
});

describe('What the gateway complains about within a call', () => {
  const kBroken = { errorType: 'FAILED', sipStatus: 408, reason: 'The other side does not answer any more' };

  it('tells why the call ends, if it ends then', async () => {
    const t = await new Fixture().call();
    t.sendRoap('ERROR', kBroken);
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.last('onGatewayError')).toMatchObject({ error: 'FAILED', sipStatus: 408 });
    const { errorType: error, ...details } = kBroken;
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021', error, ...details });
  });

  it('is no reason for an end that comes later', async () => {
    const t = await new Fixture().call();
    t.sendRoap('ERROR', kBroken);
    await pass(2000);
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021' });
  });

  it('data that was refused leaves an offer alone that is under way', async () => {
    const t = await new Fixture().call();
    t.session.holdCall();
    await pass(10);
    t.sendRoap('ERROR', { errorType: 'FAILED', sipStatus: 415, reason: 'The other side did not take the data', seq: 0 });
    await settle();
    expect([t.count('onGatewayError'), t.session.isEstablished()]).toEqual([1, false]);
    await t.answer();
    expect(t.count('onSessionHold')).toBe(1);
  });
});
