// Provisional answers: what is done while a call rings, on either side.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeTrack } from '../src/platform/fake/media.js';
import { directions, Fixture, pass, settle } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kBoth: [string, 'sendrecv'][] = [
  ['audio', 'sendrecv'],
  ['video', 'sendrecv'],
];

async function signedIn(prepare: (t: Fixture) => void = () => undefined): Promise<Fixture> {
  const t = new Fixture();
  t.gateway.features = 'ack,progress,provisional';
  prepare(t);
  await t.signIn();
  return t.enableMedia();
}

const answersOf = (t: Fixture): [boolean, string[]][] =>
  t.roap('ANSWER').map((answer) => ['moreComing' in answer, directions(answer.sdp)]);
const sent = (t: Fixture): (FakeTrack | null)[] => t.platform.connection.transceivers.map(({ sender }) => sender.track);

describe('A call that rings here', () => {
  it('is answered provisionally without microphone and camera, then finally with them on the same connection', async () => {
    const t = await signedIn();
    await t.offer(kBoth, { seq: 4 });
    await pass(10);
    expect(answersOf(t)).toEqual([[true, ['audio sendrecv', 'video sendrecv']]]);
    expect(sent(t)).toEqual([null, null]);
    expect([t.session.isEstablished(), t.count('onRemoteStream')]).toEqual([false, 0]);
    t.session.acceptCall();
    await pass(0);
    expect(answersOf(t)[1]).toEqual([false, ['audio sendrecv', 'video sendrecv']]);
    expect(sent(t)).toEqual(t.platform.streams[0]?.getTracks());
    expect(t.platform.connections).toHaveLength(1);
    const [early, final] = t.roap('ANSWER');
    expect([final?.seq, final?.answererSessionId]).toEqual([early?.seq, early?.answererSessionId]);
    expect([t.session.isEstablished(), t.count('onRemoteStream')]).toEqual([true, 1]);
  });

  it('has the media that acceptCall says, and no more', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    await pass(10);
    t.session.acceptCall(true, false);
    await pass(0);
    expect(answersOf(t)[1]).toEqual([false, ['audio sendrecv', 'video refused']]);
    expect([t.session.hasAudioEnabled(), t.session.hasVideoEnabled()]).toEqual([true, false]);
  });

  it('that is accepted while the provisional answer is being made gets the final one after it', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    t.session.acceptCall();
    await pass(20);
    expect(answersOf(t).map(([more]) => more)).toEqual([true, false]);
    expect(t.session.isEstablished()).toBe(true);
  });

  it('that is accepted at once gets one answer', async () => {
    const t = await signedIn();
    t.client.onIncomingCall.add(() => t.session.acceptCall());
    await t.offer(kBoth);
    await pass(20);
    expect(answersOf(t).map(([more]) => more)).toEqual([false]);
  });

  it.each([
    ['rejected', (t: Fixture) => t.session.rejectCall()],
    ['given up by the caller', (t: Fixture) => t.gateway.send('BYE', '1021')],
    ['refused by closeSession', (t: Fixture) => t.session.closeSession(true)],
  ])('and is %s leaves nothing behind', async (_, end) => {
    const t = await signedIn();
    await t.offer(kBoth);
    await pass(10);
    end(t);
    await pass(10);
    expect(t.platform.connection.closed).toBe(true);
    await t.offer(kBoth, { offererSessionId: 6 }, '1022');
    expect(t.count('onIncomingCall')).toBe(2);
  });

  it('ends with the sign-in', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    await pass(10);
    t.client.disconnect();
    await settle();
    expect(t.platform.connection.closed).toBe(true);
    expect(t.names().slice(-2)).toEqual(['onPeerClosing', 'onDisconnect']);
  });

  it('rejected before the provisional answer is made sends none', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    t.session.rejectCall();
    await pass(1000);
    expect(t.gateway.bodies).toEqual(['BYE']);
  });

  it('whose caller gives up while it is being accepted ends once', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    t.session.acceptCall();
    t.gateway.send('BYE', '1021');
    await pass(1000);
    expect(t.count('onPeerClosing')).toBe(1);
    expect(t.platform.connections.every(({ closed }) => closed)).toBe(true);
    expect(t.roap('ANSWER').some((answer) => !('moreComing' in answer))).toBe(false);
  });

  it('is accepted all the same where the browser refuses a provisional answer', async () => {
    const t = await signedIn();
    t.failNext('createAnswer');
    await t.offer(kBoth);
    t.session.acceptCall();
    await pass(20);
    expect(answersOf(t).map(([more]) => more)).toEqual([false]);
    expect([t.session.isEstablished(), t.count('onWebrtcError')]).toEqual([true, 0]);
  });

  it('rings once when the gateway sends the same OFFER again', async () => {
    const t = await signedIn();
    await t.offer(kBoth);
    await t.offer(kBoth);
    expect(t.count('onIncomingCall')).toBe(1);
  });

  it.each([
    ['the gateway', (t: Fixture) => void (t.gateway.features = 'ack,progress')],
    ['the browser', (t: Fixture) => void (t.platform.takesProvisionalAnswers = false)],
  ])('is not answered provisionally if %s does not understand it', async (_, prepare) => {
    const t = await signedIn(prepare);
    await t.offer(kBoth);
    await pass(1000);
    expect(t.platform.connections).toEqual([]);
    expect(t.gateway.posts).toEqual([]);
  });

  it('a browser that cannot does not ask for provisional answers either', async () => {
    const t = await new Fixture({}, (platform) => void (platform.takesProvisionalAnswers = false)).signIn();
    expect(t.gateway.requests[0]).toBe('POST /sign_in?features=ack,progress,websocket');
  });
});

describe('A call that rings there', () => {
  async function ringing(muted: boolean): Promise<Fixture> {
    const t = await signedIn();
    t.session.makeOffer('1021', true, false);
    await pass(20);
    for (const { receiver } of t.platform.connection.transceivers) receiver.track.muted = muted;
    await t.answer(undefined, { moreComing: true });
    return t;
  }

  it('is not established by a provisional answer, and tells of the stream once there is something to hear', async () => {
    const t = await ringing(true);
    expect([t.count('onRemoteStream'), t.session.isEstablished()]).toEqual([0, false]);
    t.platform.connection.transceivers[0]?.receiver.track.unmute();
    expect([t.count('onRemoteStream'), t.session.isEstablished()]).toEqual([1, false]);
    expect(t.roap('OK')).toEqual([]);
    await t.answer();
    expect([t.count('onRemoteStream'), t.session.isEstablished()]).toEqual([1, true]);
    expect(t.roap('OK')).toHaveLength(1);
  });

  it('tells of the stream with the final answer where there was nothing to hear before', async () => {
    const t = await ringing(true);
    await t.answer();
    expect([t.count('onRemoteStream'), t.session.isEstablished()]).toEqual([1, true]);
    t.platform.connection.transceivers[0]?.receiver.track.unmute();
    expect(t.count('onRemoteStream')).toBe(1);
  });

  it('is still subject to noanswer_timeout', async () => {
    const t = await ringing(false);
    await pass(60_000);
    expect(t.count('onPeerNoanswer')).toBe(1);
  });

  it('and fails leaves nothing behind', async () => {
    const t = await ringing(true);
    t.sendRoap('ERROR', { errorType: 'REFUSED', sipStatus: 486, reason: 'Busy Here', seq: 1 });
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.platform.connection.closed).toBe(true);
    t.platform.connection.transceivers[0]?.receiver.track.unmute();
    expect(t.count('onRemoteStream')).toBe(0);
  });
});
