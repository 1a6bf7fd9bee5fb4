// The WebSocket and the hanging GET of one login overtaking each other on the way to the gateway.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fixture, pass } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function signedIn(prepare: (t: Fixture) => void = () => undefined): Promise<Fixture> {
  const t = new Fixture();
  t.gateway.features = 'ack,progress,provisional,websocket,resume,transfer';
  prepare(t);
  t.client.register('1020');
  await pass(0);
  return t;
}

const infos = (t: Fixture): unknown[] => t.events.filter(([name]) => name === 'onInfoFromPeer').map(([, data]) => data);

describe('A hanging GET that reaches the gateway after its WebSocket', () => {
  it('takes over from it, and the next WebSocket takes over from that, at once', async () => {
    const t = await signedIn(({ gateway }) => void (gateway.pollsTake = 30));
    expect(t.gateway.openSockets).toHaveLength(1);
    t.gateway.pollsTake = 0;
    await pass(31);
    expect(t.gateway.sockets).toHaveLength(2);
    expect(t.gateway.openSockets).toEqual([t.gateway.sockets[1]]);
    expect(t.gateway.openPolls).toEqual([]);
    t.gateway.send('INFO-PEER n=1');
    await pass(60_000);
    expect(infos(t)).toEqual([{ n: '1' }]);
    expect([t.gateway.sockets.length, t.gateway.requestsFor('/wait').length]).toEqual([2, 1]);
    expect(t.count('onConnectionError')).toBe(0);
  });

  it('brings what came between the two, once', async () => {
    const t = await signedIn(({ gateway }) => void (gateway.pollsTake = 30));
    t.gateway.pollsTake = 0;
    t.gateway.openSockets[0]?.end(4409); // what follows is said to no WebSocket
    t.gateway.send('INFO-PEER n=1');
    await pass(5000);
    expect(infos(t)).toEqual([{ n: '1' }]);
    expect(t.gateway.openSockets).toHaveLength(1);
  });

  it('is given up with the WebSocket that it was to go with', async () => {
    const t = await signedIn(({ gateway }) => void (gateway.pollsTake = 30));
    t.client.disconnect();
    await pass(60_000);
    expect(t.gateway.openSockets).toEqual([]);
    expect([t.gateway.sockets.length, t.gateway.requestsFor('/wait').length]).toEqual([1, 1]);
  });
});

describe('A WebSocket that something else of the session takes over from', () => {
  it('again and again, is not opened again and again at once', async () => {
    const t = await signedIn();
    for (let closed = 0; closed < 20; closed += 1) {
      t.gateway.openSockets[0]?.end(4409);
      await pass(100);
    }
    expect(t.gateway.sockets).toHaveLength(1);
    expect(t.gateway.openPolls).toHaveLength(1);
    await pass(5000);
    expect(t.gateway.openSockets).toHaveLength(1);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('by hanging GETs that always come later, is opened with pauses', async () => {
    const t = await signedIn(({ gateway }) => void (gateway.pollsTake = 10));
    await pass(100);
    for (let round = 0; round < 20; round += 1) {
      t.gateway.openSockets[0]?.end(4409);
      await pass(100);
    }
    expect(t.gateway.sockets.length).toBeLessThan(6);
    t.gateway.pollsTake = 0;
    await pass(60_000);
    expect(t.gateway.openSockets).toHaveLength(1);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('is not polled beside while it is being opened and the gateway has ended the hanging GET for it', async () => {
    const t = await signedIn(({ gateway }) => void (gateway.blocksSockets = true));
    t.gateway.endPoll(200);
    await pass(900);
    expect(t.gateway.openPolls).toEqual([]);
    await pass(200);
    expect(t.gateway.openPolls).toHaveLength(1);
  });
});
