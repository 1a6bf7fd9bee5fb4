// What the page says and what it lets a link do.

import { describe, expect, it } from 'vitest';
import { explainFailure, explainMediaFailure, explainSignInFailure, explainTransferFailure } from '../src/reasons.js';
import { readAddress } from '../src/settings.js';
import { describeStats } from '../src/state.js';

describe('A failed call is explained', () => {
  it.each([
    [{ error: 'REFUSED', sipStatus: 486, reason: 'The called party is busy' }, '1002 is busy. (486)'],
    [{ error: 'REFUSED', sipStatus: 486, reason: 'The called party is busy: In a meeting.' }, '1002 is busy: In a meeting. (486)'],
    [{ error: 'TIMEOUT', sipStatus: 408, reason: 'Nobody answered' }, 'Nobody answered. (408)'],
    [{ error: 'FAILED', sipStatus: 503, reason: 'The gateway has no RTP port left' }, 'The gateway has no RTP port left. (503)'],
    [{ error: 'FAILED', reason: 'The call broke off: power lost' }, 'The call broke off: power lost.'],
    [{ error: 'REFUSED', sipStatus: 603 }, '1002 declined the call. (603)'],
    [{ error: 'REFUSED', sipStatus: 486, reason: '' }, '1002 is busy. (486)'],
    [{ error: 'TIMEOUT' }, '1002 did not answer.'],
    [{ error: 'NEWERROR' }, 'The call to 1002 failed.'],
  ])('%j', (failure, text) => {
    expect(explainFailure('1002', failure)).toBe(text);
  });

  it('so is a transfer that came to nothing', () => {
    expect(explainTransferFailure('1003', { sipStatus: 404, reason: 'There is nobody of that name to call' })).toBe(
      'The call was not transferred. There is nobody of that name to call. (404)',
    );
    expect(explainTransferFailure('1003', {})).toBe('The call was not transferred. The call to 1003 failed.');
  });

  it('so are devices that cannot be used, and a refused sign-in', () => {
    expect(explainMediaFailure('NotAllowedError: Permission denied')).toContain('Allow it');
    expect(explainMediaFailure('NotFoundError: none')).toBe('No microphone was found.');
    expect(explainMediaFailure('strange')).toContain('strange');
    expect(explainSignInFailure('1001', '403 Forbidden')).toContain('refused');
    expect(explainSignInFailure('1001', 'The gateway cannot be reached')).toContain('failed');
  });
});

describe('The address of the page', () => {
  const at = (href: string): ReturnType<typeof readAddress> => {
    const url = new URL(href);
    return readAddress({ href, hostname: url.hostname, search: url.search });
  };

  it('names the gateway that served the page, with its path', () => {
    expect(at('https://gw.example/?x=1').gateway).toBe('https://gw.example');
    expect(at('https://gw.example/phone/index.html').gateway).toBe('https://gw.example/phone');
    expect(at('https://gw.example/?gateway=https://evil.example').gateway).toBe('https://gw.example');
  });

  it('may sign in and place a harmless call anywhere', () => {
    const echo = at('https://gw.example/?dn=1001&call=echo&auto=1');
    expect(echo).toMatchObject({ dn: '1001', call: 'echo', auto: true, autoCall: true });
    expect(at('https://gw.example/?dn=1001')).toMatchObject({ auto: false, autoCall: false });
  });

  it('may call or answer others unasked on this machine only', () => {
    expect(at('https://gw.example/?call=1002&auto=1&answer=1')).toMatchObject({ autoCall: false, answer: false });
    expect(at('http://127.0.0.1:8086/?call=1002&auto=1&answer=1')).toMatchObject({ autoCall: true, answer: true });
  });
});

describe('Statistics', () => {
  const media = (received: number, sent: number): never =>
    ({
      codec: 'opus',
      rx: { bytes: sent, lost: 2 },
      tx: { bytes: received },
      client: { lost: 1, jitter: 12 },
      rtt: 23,
      rtt_count: 3,
    }) as never;

  it('give rates from two samples, from where the page stands', () => {
    const before = { timestamp: 1000, audio: media(0, 0) };
    const now = { timestamp: 3000, audio: media(16000, 8000) };
    expect(describeStats(null, before).received).toBe('–');
    expect(describeStats(before, now)).toEqual({
      codec: 'opus',
      received: '64 kbit/s',
      sent: '32 kbit/s',
      lost: '3 packets',
      jitter: '12',
      roundTrip: '23 ms',
    });
    expect(describeStats(now, now).sent).toBe('–');
    expect(describeStats(null, {}).codec).toBe('–');
  });
});
