// Calls that the page makes.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Candidate } from '../src/sdp.js';
import { directions, Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('makeOffer', () => {
  it('sends one OFFER with its candidates, and an OK after the answer', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('1021');
    await pass(9);
    expect(t.gateway.posts).toEqual([]);
    await pass(1);
    expect(t.gateway.posts).toMatchObject([{ from: 'S1', to: '1021' }]);
    const offer = t.lastOffer();
    expect(offer).toMatchObject({ offererSessionId: 1, answererSessionId: null, seq: 1 });
    expect(offer.tiebreaker).toBeGreaterThan(0);
    expect(offer.sdp).toContain('a=candidate:1 1 udp');
    expect(offer.Candidates).toHaveLength(4);
    expect(offer.Candidates[0]).toMatchObject({ sdpMLineIndex: 0, sdpMid: '0', usernameFragment: expect.any(String) });
    expect(directions(offer.sdp)).toEqual(['audio sendrecv', 'video sendrecv']);
    expect(t.session.isEstablished()).toBe(false);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
    expect(t.roap('OK')).toEqual([{ messageType: 'OK', offererSessionId: 1, answererSessionId: 77, seq: 1 }]);
    expect(t.count('onRemoteStream')).toBe(1);
    expect((t.last('onRemoteStream') as { stream: MediaStream }).stream.getTracks()).toHaveLength(2);
  });

  it('sends what it has after ice_timeout', async () => {
    const t = new Fixture({ ice_timeout: 2000 });
    t.platform.gatherTime = null;
    await t.signIn();
    t.session.makeOffer('1021');
    await pass(1999);
    expect(t.roap()).toHaveLength(0);
    await pass(1);
    expect(t.lastOffer().Candidates).toEqual([]);
  });

  it('gives the browser the configured servers', async () => {
    const t = await new Fixture({ stun_server: 'stun.example:3478' }).signIn();
    t.session.makeOffer('1021');
    await settle();
    expect(t.platform.connection.configuration.iceServers).toEqual([{ urls: ['stun:stun.example:3478'] }]);
  });

  it.each([
    [true, false, ['audio sendrecv']],
    [false, true, ['video sendrecv']],
    [undefined, undefined, ['audio sendrecv', 'video sendrecv']],
    ['sendonly', 'recvonly', ['audio sendonly', 'video recvonly']],
  ] as const)('with audio %s and video %s offers %s', async (audio, video, expected) => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('1021', audio, video);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(expected);
  });

  it('offers to receive what there is no local source for', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia(true, false);
    t.session.makeOffer('1021');
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv', 'video recvonly']);
  });

  it('uses the constraints set on the client where it is given none', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.client.setMediaConstraintsForOffer(true, false);
    t.session.makeCall('1021');
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv']);
  });

  it('can begin on hold', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia(true, false);
    t.session.makeOffer('1021', true, false, true);
    await pass(10);
    expect(directions(t.lastOffer().sdp)).toEqual(['audio inactive']);
    await t.answer();
    expect(t.names().slice(-1)).toEqual(['onSessionHold']);
    t.session.resumeCall();
    await pass(10);
    await t.answer();
    expect(t.names().slice(-1)).toEqual(['onRemoteStream']);
  });

  it('a call to self goes to the own id, with the media that is there', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia(true, false);
    t.session.makeOffer('self');
    await pass(10);
    expect(t.gateway.posts[0]?.to).toBe('S1');
    expect(directions(t.lastOffer().sdp)).toEqual(['audio sendrecv']);
  });

  it('waits for a sign-in that is under way', async () => {
    const t = new Fixture();
    let ready = false;
    t.gateway.signIn = () => (ready ? { status: 200, text: 'id=T' } : null);
    t.client.register('1020');
    t.session.makeOffer('1021');
    await pass(2000);
    expect(t.roap()).toHaveLength(0);
    ready = true;
    t.client.register('1020');
    await settle();
    expect(t.gateway.posts).toEqual([]); // the sign-in anew ended the call
    t.session.makeOffer('1021');
    await pass(20);
    expect(t.gateway.posts).toMatchObject([{ from: 'T', to: '1021' }]);
  });

  it('is ended when the sign-in that it waits for fails', async () => {
    const t = new Fixture();
    t.platform.gatherTime = 0;
    let refuse: (value: { status: number; text: string }) => void = () => undefined;
    const reply = new Promise<{ status: number; text: string }>((resolve) => void (refuse = resolve));
    const { request } = t.platform;
    t.platform.request = async (given) => {
      if (!given.url.includes('sign_in')) return request.call(t.platform, given);
      return { ...(await reply), header: () => null };
    };
    t.client.register('1020');
    t.session.makeOffer('1021');
    await pass(100);
    refuse({ status: 403, text: 'Forbidden' });
    await pass(100);
    expect(t.names()).toEqual(['onFailed', 'onPeerClosing']);
    expect(t.gateway.posts).toEqual([]);
    expect(t.platform.connection.closed).toBe(true);
  });

  it('throws where there cannot be a call', async () => {
    const t = new Fixture();
    expect(thrown(() => t.session.makeOffer('1021'))).toBe('INVALID_STATE_ERROR');
    await t.signIn();
    expect(thrown(() => t.session.makeOffer('1021', false, false))).toBe('GRTC_ERROR');
    expect(thrown(() => t.session.makeOffer())).toBe('INVALID_STATE_ERROR');
    t.session.makeOffer('1021');
    expect(thrown(() => t.newSession().makeOffer('1022'))).toBe('INVALID_STATE_ERROR');
  });

  it('sends b=AS:500 for video, or what setVideoBandwidth says', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    expect(t.lastOffer().sdp.match(/b=AS:\d+/g)).toEqual(['b=AS:500']);
    await t.answer();
    expect(t.platform.connection.remoteDescription?.sdp).toContain('b=AS:500');
    t.client.setVideoBandwidth(0);
    t.session.makeOffer();
    await pass(10);
    expect(t.lastOffer().sdp).not.toContain('b=AS');
    t.client.setVideoBandwidth('much' as unknown as number);
    await t.answer();
    t.client.setVideoBandwidth(300);
    t.session.makeOffer();
    await pass(10);
    expect(t.lastOffer().sdp).toContain('b=AS:300');
  });
});

describe('filterIceCandidates', () => {
  const noTcp = (candidates: Candidate[]): Candidate[] =>
    candidates.filter((candidate) => JSON.stringify(candidate).match(/ tcp \d+/i) === null);

  it.each(['filterIceCandidates', 'filterICECandidates'] as const)('replaced as %s chooses what goes', async (name) => {
    const t = await new Fixture().signIn();
    t.client[name] = noTcp;
    t.session.makeOffer('1021', true, false);
    await pass(10);
    expect(t.lastOffer().Candidates).toHaveLength(1);
    expect(t.lastOffer().sdp).not.toContain(' tcp ');
    expect(t.lastOffer().sdp).toContain(' udp ');
  });

  it('may leave none', async () => {
    const t = await new Fixture().signIn();
    t.client.filterIceCandidates = () => [];
    t.session.makeOffer('1021');
    await pass(10);
    expect(t.lastOffer().Candidates).toEqual([]);
    expect(t.lastOffer().sdp).not.toContain('a=candidate');
  });

  it.each([
    ['throws', () => { throw new Error('page bug'); }],
    ['gives no array', () => undefined as unknown as Candidate[]],
  ])('one that %s filters nothing', async (_, filter) => {
    const t = await new Fixture().signIn();
    t.client.filterIceCandidates = filter;
    t.session.makeOffer('1021', true, false);
    await pass(10);
    expect(t.lastOffer().Candidates).toHaveLength(2);
  });
});

describe('The answer', () => {
  it('adds candidates that come beside the SDP', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    await t.answer(undefined, { Candidates: [{ candidate: 'a=candidate:5', sdpMLineIndex: 0, sdpMid: 'audio' }] });
    expect(t.platform.connection.addedCandidates).toEqual([{ candidate: 'candidate:5', sdpMLineIndex: 0 }]);
  });

  it('of another offer, or a second one, is ignored', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    await t.answer(undefined, { seq: 9 });
    await t.answer(undefined, { offererSessionId: 'other' });
    expect(t.session.isEstablished()).toBe(false);
    await t.answer(undefined, { seq: '1', offererSessionId: '1' }); // ids may come back as strings
    expect(t.session.isEstablished()).toBe(true);
    await t.answer();
    expect(t.roap('OK')).toHaveLength(1);
  });

  it('may be provisional: media flows, the OK and the end of waiting come with the real one', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    await t.answer(undefined, { moreComing: true });
    expect(t.count('onRemoteStream')).toBe(1);
    expect(t.session.isEstablished()).toBe(false);
    await pass(60000);
    expect(t.count('onPeerNoanswer')).toBe(1);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
    expect(t.count('onRemoteStream')).toBe(1);
    expect(t.roap('OK')).toHaveLength(1);
  });

  it('that the browser refuses ends the call with onWebrtcError and BYE', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    t.platform.connection.failNext = 'setRemoteDescription';
    await t.answer();
    expect(t.names()).toEqual(['onRegister', 'onWebrtcError', 'onPeerClosing']);
    expect(t.gateway.bodies.at(-1)).toBe('BYE');
    expect(t.platform.connection.closed).toBe(true);
  });

  it('tells which media the call has', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('1021');
    await pass(10);
    await t.answer(['sendrecv', 'refused']);
    expect([t.session.hasAudioEnabled(), t.session.hasVideoEnabled()]).toEqual([true, false]);
    expect((t.last('onRemoteStream') as { stream: MediaStream }).stream.getTracks()).toHaveLength(1);
  });

  it('without any media to receive brings no stream', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia(true, false);
    t.session.makeOffer('1021', true, false);
    await pass(10);
    await t.answer(['recvonly']);
    expect(t.count('onRemoteStream')).toBe(0);
    expect(t.session.hasAudioEnabled()).toBe(true);
  });

  it('that never comes fires onPeerNoanswer once, and the call goes on', async () => {
    const t = await new Fixture({ noanswer_timeout: 5000 }).signIn();
    t.session.makeOffer('1021');
    await pass(10);
    await pass(4999);
    expect(t.count('onPeerNoanswer')).toBe(0);
    await pass(1);
    expect(t.last('onPeerNoanswer')).toEqual({ peer: '1021' });
    await pass(60000);
    expect(t.count('onPeerNoanswer')).toBe(1);
    t.session.terminateCall();
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('BYE');
  });
});

describe('A message that does not arrive', () => {
  it('is sent again every 3 s, identical, before anything else leaves', async () => {
    const t = await new Fixture().signIn();
    t.gateway.failPosts = 2;
    t.session.makeOffer('1021');
    await pass(10);
    expect(t.roap()).toHaveLength(0);
    await pass(5999);
    expect(t.roap()).toHaveLength(0);
    await pass(1);
    expect(t.roap('OFFER')).toHaveLength(1);
    await t.answer();
    expect(t.session.isEstablished()).toBe(true);
  });

  it('is not sent any more when the call has ended, and the BYE is', async () => {
    const t = await new Fixture().signIn();
    t.gateway.failPosts = 1;
    t.session.makeOffer('1021');
    await pass(10);
    t.session.closeSession(true);
    await pass(4000);
    expect(t.gateway.bodies).toEqual(['BYE']);
  });

  it('a BYE is tried again too, before another call to the same peer: without it that would change the call before', async () => {
    const t = await new Fixture().call();
    t.gateway.failPosts = 2;
    t.session.closeSession(true);
    await settle();
    t.session.makeOffer('1021');
    await pass(7000);
    expect(t.gateway.bodies.slice(-2).map((body) => body.slice(0, 34))).toEqual(['BYE', 'RSMP {"messageType":"OFFER","sdp":']);
  });

  it('but not into a call to somebody else', async () => {
    const t = await new Fixture().call();
    t.gateway.failPosts = 1;
    t.session.closeSession(true);
    await settle();
    t.session.makeOffer('1022');
    await pass(20);
    expect(t.gateway.bodies.slice(-1)[0]).toContain('OFFER');
    expect(t.gateway.bodies).not.toContain('BYE');
    t.session.closeSession(true);
    t.gateway.failPosts = 0;
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('BYE');
  });
});

describe('A call that fails', () => {
  it('tells the SIP status and the reason, then the end, and leaves nothing behind', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    t.session.makeOffer('1021');
    await pass(10);
    t.sendRoap('ERROR', { errorType: 'REFUSED', sipStatus: 486, reason: 'Busy Here', seq: 1 });
    await settle();
    expect(t.last('onGatewayError')).toEqual({
      error: 'REFUSED',
      sipStatus: 486,
      reason: 'Busy Here',
      message: 'REFUSED: 486 Busy Here',
    });
    expect(t.count('onPeerClosing')).toBe(0);
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.names().slice(-2)).toEqual(['onGatewayError', 'onPeerClosing']);
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021', error: 'REFUSED', sipStatus: 486, reason: 'Busy Here' });
    expect(t.platform.connection.closed).toBe(true);
    expect(t.platform.streams[0]?.getTracks().every((track) => track.readyState === 'live')).toBe(true);
    expect(t.gateway.bodies).not.toContain('BYE');
    await pass(120000);
    expect(t.count('onPeerNoanswer')).toBe(0);
    t.session.makeOffer('1022'); // the session can be used again
    await pass(10);
    expect(t.lastOffer()).toMatchObject({ seq: 1, offererSessionId: 2 });
  });

  it('because the browser cannot make an offer ends with onWebrtcError; the gateway never hears of it', async () => {
    const t = await new Fixture().signIn();
    t.failNext('createOffer');
    t.session.makeOffer('1021');
    await pass(10);
    expect(t.names()).toEqual(['onRegister', 'onWebrtcError', 'onPeerClosing']);
    expect(t.last('onWebrtcError')).toEqual({ error: 'createOffer failed' });
    expect(t.gateway.posts).toEqual([]);
  });

  it('progress comes as an event of ours', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(10);
    t.gateway.send('PROGRESS {"state":"ringing"}', '1021');
    await settle();
    expect(t.last('onProgress')).toEqual({ peer: '1021', state: 'ringing' });
  });
});

describe('Ending a call', () => {
  it('terminateCall sends BYE, closes the connection and leaves the source alone', async () => {
    const t = await new Fixture().call();
    t.session.terminateCall();
    await settle();
    expect(t.gateway.posts.at(-1)).toMatchObject({ to: '1021', body: 'BYE' });
    expect(t.gateway.keepalives).toEqual(['/message']); // it arrives also when the page is being closed
    expect(t.platform.connection.closed).toBe(true);
    expect(t.platform.streams[0]?.getTracks().every((track) => track.readyState === 'live')).toBe(true);
    expect(t.session.isEstablished()).toBe(false);
    expect(thrown(() => t.session.terminateCall())).toBe('INVALID_STATE_ERROR');
    expect(t.count('onPeerClosing')).toBe(0);
  });

  it('closeSession without true tells nobody, and does nothing without a call', async () => {
    const t = await new Fixture().call();
    t.session.closeSession();
    t.session.closeSession(true);
    await settle();
    expect(t.gateway.bodies).not.toContain('BYE');
    expect(t.platform.connection.closed).toBe(true);
  });

  it('while the offer is being prepared the gateway never hears of the call', async () => {
    const t = await new Fixture().signIn();
    t.session.makeOffer('1021');
    await pass(5);
    t.session.terminateCall();
    await pass(5000);
    expect(t.gateway.posts).toEqual([]);
    expect(t.platform.connection.closed).toBe(true);
  });

  it('by the far end fires onPeerClosing once; a BYE without a call fires nothing', async () => {
    const t = await new Fixture().call();
    t.gateway.send('BYE', '1021');
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.count('onPeerClosing')).toBe(1);
    expect(t.last('onPeerClosing')).toEqual({ peer: '1021' });
    expect(thrown(() => t.session.updateCall(false))).toBe('INVALID_STATE_ERROR');
  });
});
