// Texts of the wire: ROAP, the other messages, SDP, data.

import { describe, expect, it } from 'vitest';
import { readAttached, readInfo, writeInfo } from '../src/attached.js';
import { readRoap, tiebreaker, writeOffer, writeOk } from '../src/roap.js';
import {
  candidatesOf,
  limitedVideoBandwidth,
  normalize,
  sectionsOf,
  withCandidates,
  withVideoBandwidth,
} from '../src/sdp.js';
import { readMessage } from '../src/wire.js';
import { offerSdp, thrown } from './fixture.js';

describe('Messages to the page', () => {
  it.each([
    ['BYE', null, 'bye'],
    ['BYE later words', '1021', 'bye'],
    ['INVITE', '1021', 'invite'],
    ['INVITE', null, 'unknown'],
    ['EVENT-TALK', '1021', 'talk'],
    ['EVENT-HOLD', '1021', 'hold'],
    ['INFO-PEER a=1', '1021', 'info'],
    ['PUT-STATS {"timestamp":1}', null, 'stats'],
    ['PUT-STATS{"timestamp":1}', null, 'stats'],
    ['PUT-STATS nonsense', null, 'unknown'],
    ['PROGRESS {"state":"ringing"}', null, 'progress'],
    ['PROGRESS {}', null, 'unknown'],
    ['SDP {"messageType":"OK"}', null, 'ok'],
    ['SDP {"messageType":"SHUTDOWN"}', null, 'bye'],
    ['SDP {"messageType":"ERROR","errorType":"REFUSED"}', null, 'error'],
    ['SDP {"messageType":"OFFER","sdp":"v=0"}', '1021', 'offer'],
    ['SDP {"messageType":"OFFER","sdp":"v=0"}', null, 'unknown'],
    ['SDP {"messageType":"OFFER"}', '1021', 'unknown'],
    ['SDP {"messageType":"ANSWER","sdp":"v=0"}', null, 'answer'],
    ['SDP {"messageType":"ANSWER","sdp":"v=0","attacheddata":[{"key":"OFFER","value":"ERROR"}]}', null, 'answer'],
    ['SDP {broken', '1021', 'unknown'],
    ['SDP [1]', '1021', 'unknown'],
    ['', null, 'unknown'],
    ['<html>', null, 'unknown'],
  ])('%s with peer %s is %s', (body, peer, kind) => {
    expect(readMessage(body, peer).kind).toBe(kind);
  });

  it('a failed call carries the SIP status and reason', () => {
    const body = 'SDP {"messageType":"ERROR","errorType":"REFUSED","sipStatus":486,"reason":"Busy Here","seq":1}';
    expect(readMessage(body, '1021')).toEqual({
      kind: 'error',
      error: { messageType: 'ERROR', errorType: 'REFUSED', sipStatus: 486, reason: 'Busy Here', seq: 1 },
    });
  });

  it('progress keeps its details', () => {
    expect(readMessage('PROGRESS {"state":"ringing","sipStatus":180}', null)).toEqual({
      kind: 'progress',
      progress: { state: 'ringing', sipStatus: 180 },
    });
  });
});

describe('ROAP', () => {
  const offer = { sdp: 'v=0', candidates: [], sessionId: 3, seq: 1, tiebreaker: 9, attached: null };

  it('an OFFER has the keys of the dialect', () => {
    expect(JSON.parse(writeOffer(offer).slice(5))).toEqual({
      messageType: 'OFFER',
      sdp: 'v=0',
      Candidates: [],
      offererSessionId: 3,
      answererSessionId: null,
      seq: 1,
      tiebreaker: 9,
    });
    expect(writeOffer(offer).startsWith('RSMP {')).toBe(true);
  });

  it('attached data goes into every message', () => {
    const attached = [{ key: 'a', value: 'b' }];
    const answer = readRoap('{"messageType":"ANSWER","sdp":"v","offererSessionId":"x","answererSessionId":8,"seq":4}');
    if (answer?.messageType !== 'ANSWER') throw new Error('no ANSWER');
    expect(JSON.parse(writeOk(answer, attached).slice(5))).toEqual({
      messageType: 'OK',
      offererSessionId: 'x',
      answererSessionId: 8,
      seq: 4,
      attacheddata: attached,
    });
  });

  it('the tie-breaker is within its bounds for any random bytes', () => {
    expect(tiebreaker(Uint8Array.of(0, 0, 0, 0))).toBe(1);
    for (const byte of [1, 25, 26, 127, 255]) {
      const value = tiebreaker(Uint8Array.of(byte, byte, byte, byte));
      expect(value).toBeGreaterThanOrEqual(1);
      expect(value).toBeLessThanOrEqual(429496723);
    }
  });

  it('reads candidates in every form met, and gives each a place', () => {
    const message = readRoap(
      JSON.stringify({
        messageType: 'OFFER',
        sdp: 'v=0',
        Candidates: [
          { candidate: 'a=candidate:1', sdpMLineIndex: 1, sdpMid: 'audio' },
          { candidate: 'candidate:2', sdpMid: '0' },
          { candidate: 'candidate:3' },
          { candidate: '' },
          7,
          null,
        ],
      }),
    );
    expect(message).toMatchObject({
      candidates: [
        { candidate: 'candidate:1', sdpMLineIndex: 1 },
        { candidate: 'candidate:2', sdpMLineIndex: null, sdpMid: '0' },
        { candidate: 'candidate:3', sdpMLineIndex: 0 },
      ],
    });
  });
});

describe('SDP', () => {
  const sdp = offerSdp([
    ['audio', 'sendrecv'],
    ['video', 'recvonly'],
  ]);

  it('sections tell kind, direction and whether they live', () => {
    const refused = sdp.replace('m=video 9', 'm=video 0');
    expect(sectionsOf(refused)).toEqual([
      { kind: 'audio', live: true, direction: 'sendrecv' },
      { kind: 'video', live: false, direction: 'recvonly' },
    ]);
  });

  it('a direction of the session holds for sections without one; bundle-only sections live', () => {
    expect(sectionsOf('v=0\na=sendonly\nm=audio 0 RTP/SAVPF 0\na=bundle-only\n')).toEqual([
      { kind: 'audio', live: true, direction: 'sendonly' },
    ]);
  });

  it('line ends become CRLF', () => {
    expect(normalize('v=0\ns=-\n\nm=audio 9 x 0')).toBe('v=0\r\ns=-\r\nm=audio 9 x 0\r\n');
  });

  it('candidates can be read and chosen', () => {
    const all = candidatesOf(sdp);
    expect(all.map(({ sdpMLineIndex }) => sdpMLineIndex)).toEqual([0, 1]);
    const one = withCandidates(sdp, all.slice(1));
    expect(candidatesOf(one)).toEqual(all.slice(1));
    expect(candidatesOf(withCandidates(sdp, []))).toEqual([]);
  });

  it('candidates stay before the end of candidates', () => {
    const text = withCandidates('v=0\r\nm=audio 9 x 0\r\na=end-of-candidates\r\n', [
      { candidate: 'candidate:1', sdpMLineIndex: 0 },
    ]);
    expect(text).toBe('v=0\r\nm=audio 9 x 0\r\na=candidate:1\r\na=end-of-candidates\r\n');
  });

  it('the bandwidth goes into video sections only, after c=, once', () => {
    const limited = withVideoBandwidth(withVideoBandwidth(sdp, 500), 300);
    expect(limited.match(/b=AS:\d+/g)).toEqual(['b=AS:300']);
    expect(limited).toMatch(/m=video.*\r\nc=.*\r\nb=AS:300\r\n/);
    expect(withVideoBandwidth(limited, 0)).not.toContain('b=AS');
  });

  it('the far end keeps its own limit if that is lower', () => {
    const theirs = withVideoBandwidth(sdp, 200);
    expect(limitedVideoBandwidth(theirs, 500)).toContain('b=AS:200');
    expect(limitedVideoBandwidth(theirs, 100)).toContain('b=AS:100');
    expect(limitedVideoBandwidth(theirs, 0)).toContain('b=AS:200');
  });
});

describe('Data', () => {
  it('attached data is an array of exactly key and value', () => {
    expect(readAttached([{ key: 'Name', value: 'My Name' }])).toEqual([{ key: 'Name', value: 'My Name' }]);
    const entries = [1, { key: 'a' }, { key: 'a', value: 'b', more: 1 }, { key: 1, value: 2 }, { key: 'a', value: {} }];
    for (const bad of [undefined, {}, [], ...entries.map((entry) => [entry])]) {
      expect(thrown(() => readAttached(bad))).toBe('GRTC_ERROR');
    }
  });

  it('info survives the way there and back', () => {
    const data = { visitid: 'abc 123', 'a&b': 'c=d%', flag: true, count: 4 };
    expect(readInfo(writeInfo(data))).toEqual({ visitid: 'abc 123', 'a&b': 'c=d%', flag: 'true', count: '4' });
  });

  it('info that is not encoded is taken as it is', () => {
    expect(readInfo('a=50%&b&c=x=y')).toEqual({ a: '50%', b: '', c: 'x=y' });
  });

  it('info must be a simple object', () => {
    for (const bad of [null, 'a=1', [1], {}, { a: {} }, { a: undefined }, { '': 1 }, { a: Number.NaN }]) {
      expect(thrown(() => writeInfo(bad))).toBe('GRTC_ERROR');
    }
  });
});
