// Messages that the gateway will never take, and sessions that end without a word of the page.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HttpReply } from '../src/platform/platform.js';
import { Fixture, pass, settle } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Messages that hold `text` are answered with this status. */
function refuse(t: Fixture, text: string, status: number): void {
  const { gateway } = t;
  vi.spyOn(t.platform, 'request').mockImplementation((request) => {
    if (request.url.includes('/message') && request.body?.includes(text) === true) {
      gateway.requests.push(`refused ${status}`);
      return Promise.resolve<HttpReply>({ status, text: '', header: () => null });
    }
    return gateway.handle(request);
  });
}

describe('A message that is too long', () => {
  it.each([400, 413, 414, 431])('(status %s) is sent once, and does not hold up what follows', async (status) => {
    const t = new Fixture();
    t.gateway.features = 'ack,progress,resume';
    await t.call();
    refuse(t, 'INFO', status);
    t.session.sendInfo({ a: 1 });
    t.session.getServerStats();
    await pass(30_000);
    expect(t.gateway.requestsFor('refused')).toHaveLength(1);
    expect(t.gateway.bodies.at(-1)).toBe('GET-STATS');
    expect(t.session.isEstablished()).toBe(true);
  });

  it('and is the OFFER of a call ends the call, with a reason', async () => {
    const t = await new Fixture().signIn();
    await t.enableMedia();
    refuse(t, 'OFFER', 413);
    t.session.makeOffer('1021');
    await pass(20);
    expect(t.last('onPeerClosing')).toMatchObject({ peer: '1021', error: 'FAILED', reason: expect.stringContaining('413') as unknown });
    expect(t.gateway.requestsFor('refused')).toHaveLength(1);
  });

  it('and is an OFFER within a call leaves the call as it was', async () => {
    const t = await new Fixture().call();
    refuse(t, 'OFFER', 413);
    t.session.holdCall();
    await pass(1000);
    expect(t.session.isEstablished()).toBe(true);
    expect(t.names()).not.toContain('onPeerClosing');
    expect(t.names()).not.toContain('onSessionHold');
  });
});

describe('A message that does not arrive otherwise', () => {
  it.each([0, 403, 404, 429, 500, 503])('(status %s) is sent again', async (status) => {
    const t = await new Fixture().call();
    refuse(t, 'OFFER', status);
    t.session.holdCall();
    await pass(7000);
    expect(t.gateway.requestsFor('refused')).toHaveLength(3);
  });
});

describe('A page that is closed', () => {
  it('signs out, without a word to its handlers', async () => {
    const t = await new Fixture().call();
    const before = t.names().length;
    t.platform.endPage();
    await settle();
    expect(t.gateway.requests.at(-1)).toBe('GET /sign_out?id=S1');
    expect(t.gateway.keepalives).toEqual(['/sign_out']);
    expect(t.names()).toHaveLength(before);
  });

  it('while it signs in gives the sign-in up', async () => {
    const t = new Fixture();
    t.gateway.signIn = () => null;
    t.client.register('1020');
    await settle();
    t.platform.endPage();
    t.gateway.answerSignIns(200, 'id=S1');
    await pass(10_000);
    expect(t.names()).not.toContain('onRegister');
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('and is not signed in asks for nothing', async () => {
    const t = await new Fixture().signIn();
    t.client.disconnect();
    await settle();
    const asked = t.gateway.requests.length;
    t.platform.endPage();
    await settle();
    expect(t.gateway.requests).toHaveLength(asked);
  });
});

describe('A session that the gateway has ended', () => {
  it.each([
    ['poll', 'ack,resume'],
    ['socket', 'ack,websocket,resume'],
  ])('because the DN has signed in elsewhere (%s) says so in onDisconnect', async (way, features) => {
    const t = new Fixture();
    t.gateway.features = features;
    await t.signIn();
    if (way === 'poll') t.gateway.endPoll(410, 'The DN has signed in elsewhere');
    else t.gateway.openSockets[0]?.end(4410);
    await settle();
    expect(t.last('onDisconnect')).toEqual({ message: 'The gateway has ended the session: The DN has signed in elsewhere.' });
  });
});

describe('A gateway that cannot be reached', () => {
  it.each([
    [false, 'http://gw.example:8086', /Failed to fetch/],
    [true, 'http://gw.example:8086', /needs the https URL/],
    [true, 'https://gw.example:8086', /Failed to fetch/],
  ])('(page by https: %s, gateway %s) is told of with the reason', async (isHttpsPage, gateway, reason) => {
    const t = new Fixture({ webrtc_gateway: gateway }, (platform) => void (platform.isHttpsPage = isHttpsPage));
    t.gateway.down.add(gateway);
    await t.signIn();
    expect(t.last('onFailed')).toMatchObject({ message: expect.stringMatching(reason) as unknown });
  });
});
