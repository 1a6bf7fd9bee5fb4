// ICE that breaks or moves within a call, and who repairs it.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakePeerConnection } from '../src/platform/fake/peerconnection.js';
import { Fixture, pass, settle } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function talking(keep = true): Promise<[Fixture, FakePeerConnection]> {
  const t = new Fixture();
  if (keep) t.client.setRenewSessionOnNeed(false);
  await t.call();
  t.platform.connection.setIceState('connected');
  return [t, t.platform.connection];
}

const offers = (t: Fixture): number => t.roap('OFFER').length - 1;

describe('ICE that is disconnected', () => {
  it('and comes back by itself is left alone', async () => {
    const [t, connection] = await talking();
    connection.setIceState('disconnected');
    await pass(1999);
    connection.setIceState('connected');
    await pass(60_000);
    expect([t.count('onIceDisconnected'), offers(t)]).toEqual([1, 0]);
  });

  it('and stays so is restarted after 2 s, on the same connection, again and again until it is connected', async () => {
    const [t, connection] = await talking();
    connection.setIceState('disconnected');
    await pass(2010);
    expect(offers(t)).toBe(1);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${connection.number}g1`);
    await t.answer();
    await pass(10_000);
    expect(offers(t)).toBe(2);
    await t.answer();
    connection.setIceState('connected');
    await pass(60_000);
    expect(offers(t)).toBe(2);
    expect(t.platform.connections).toHaveLength(1);
  });

  it('is restarted on the same connection also where the offers of the page make new ones', async () => {
    const [t] = await talking(false);
    t.platform.connection.setIceState('disconnected');
    await pass(2010);
    expect([offers(t), t.platform.connections.length]).toEqual([1, 1]);
  });

  it.each([true, false])('is restarted once if the page makes the offer (connection kept: %s)', async (keep) => {
    const [t, connection] = await talking(keep);
    t.client.onIceDisconnected.add(() => {
      t.session.makeOffer();
      t.session.makeOffer();
      return false;
    });
    connection.setIceState('disconnected');
    await pass(20);
    connection.setIceState('disconnected');
    await pass(20);
    expect(offers(t)).toBe(1);
    await t.answer();
    t.platform.connection.setIceState('connected');
    await pass(60_000);
    expect(offers(t)).toBe(1);
  });

  it('its restart is posted until it arrives', async () => {
    const [t, connection] = await talking();
    t.gateway.failPosts = 20;
    connection.setIceState('disconnected');
    await pass(2010 + 19 * 3000);
    expect(offers(t)).toBe(0);
    await pass(3000);
    expect(offers(t)).toBe(1);
  });

  it('is of no interest any more when the call has ended', async () => {
    const [t, connection] = await talking();
    connection.setIceState('disconnected');
    t.session.closeSession(true);
    await pass(60_000);
    expect(offers(t)).toBe(0);
  });
});

describe('ICE that has failed', () => {
  it('is restarted at once', async () => {
    const [t, connection] = await talking();
    connection.setIceState('failed');
    await pass(10);
    expect([t.last('onIceDisconnected'), offers(t)]).toEqual([{ status: 'failed' }, 1]);
  });

  it('is restarted again when the gateway refuses the offer', async () => {
    const [t, connection] = await talking();
    connection.setIceState('failed');
    await pass(10);
    t.sendRoap('ERROR', { errorType: 'FAILED', seq: t.lastOffer().seq });
    await settle();
    expect(t.session.isEstablished()).toBe(true);
    await pass(10_000);
    expect(offers(t)).toBe(2);
  });
});

describe('Another network', () => {
  it('restarts ICE at once, though nothing has failed yet, and only once', async () => {
    const [t, connection] = await talking();
    t.platform.changeNetwork();
    await pass(10);
    expect(offers(t)).toBe(1);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${connection.number}g1`);
    await t.answer();
    await pass(60_000);
    expect(offers(t)).toBe(1);
  });

  it('during a negotiation restarts ICE after it', async () => {
    const [t, connection] = await talking();
    t.session.holdCall();
    await pass(10);
    t.platform.changeNetwork();
    await pass(10);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${connection.number}g0`);
    await t.answer();
    await pass(10);
    expect(t.lastOffer().sdp).toContain(`a=ice-ufrag:u${connection.number}g1`);
    expect(offers(t)).toBe(2);
  });

  it('begins a new hanging GET at once', async () => {
    const t = await new Fixture().signIn();
    t.platform.changeNetwork();
    await settle();
    expect(t.gateway.requestsFor('/wait')).toHaveLength(2);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('means nothing to a client that is signed out', async () => {
    const t = new Fixture();
    t.platform.changeNetwork();
    await settle();
    expect(t.gateway.requests).toEqual([]);
  });
});
