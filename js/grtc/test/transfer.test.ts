// Transferring a call: an extension of the API.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fixture, pass, settle, thrown } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

async function talking(): Promise<Fixture> {
  const t = new Fixture();
  t.gateway.features = 'ack,progress,transfer';
  return t.call();
}

describe('transferCall', () => {
  it('to a number is told to the gateway, and how it goes on to the page', async () => {
    const t = await talking();
    t.session.transferCall(1022);
    await settle();
    expect(t.gateway.posts.at(-1)).toMatchObject({ to: '1021', body: 'TRANSFER {"to":"1022"}' });
    t.gateway.send('PROGRESS {"state":"transferring","sipStatus":100,"reason":"Trying"}');
    t.gateway.send('PROGRESS {"state":"transferred","sipStatus":200}');
    t.gateway.send('BYE', '1021');
    await settle();
    expect(t.events.filter(([name]) => name === 'onTransfer')).toEqual([
      ['onTransfer', { state: 'transferring', sipStatus: 100, reason: 'Trying' }],
      ['onTransfer', { state: 'transferred', sipStatus: 200 }],
    ]);
    expect(t.count('onProgress')).toBe(2);
    expect(t.names().at(-1)).toBe('onPeerClosing');
  });

  it('that fails leaves the call as it was', async () => {
    const t = await talking();
    t.session.transferCall('nobody');
    t.gateway.send('PROGRESS {"state":"transfer-failed","sipStatus":404,"reason":"Not Found"}');
    await settle();
    expect(t.last('onTransfer')).toEqual({ state: 'transfer-failed', sipStatus: 404, reason: 'Not Found' });
    expect(t.session.isEstablished()).toBe(true);
  });

  it('to the far end of another call names its dialog', async () => {
    const t = await talking();
    const other = new Fixture();
    other.gateway.features = 'ack,progress,transfer';
    await other.call();
    expect(thrown(() => t.session.transferCall(other.session))).toBe('INVALID_STATE_ERROR');
    other.gateway.send('PROGRESS {"state":"answered","sipStatus":200,"dialog":"c1;to-tag=a;from-tag=b"}');
    await settle();
    t.session.transferCall(other.session);
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('TRANSFER {"to":"1021","replaces":"c1;to-tag=a;from-tag=b"}');
    other.gateway.send('PROGRESS {"state":"answered","dialog":"c2;to-tag=a;from-tag=b","address":"sip:1033@example.com"}'); // in 1021's place
    await settle();
    t.session.transferCall(other.session);
    await settle();
    expect(t.gateway.bodies.at(-1)).toBe('TRANSFER {"to":"sip:1033@example.com","replaces":"c2;to-tag=a;from-tag=b"}');
    other.session.closeSession(true);
    expect(thrown(() => t.session.transferCall(other.session))).toBe('INVALID_STATE_ERROR');
  });

  it('throws where there is nothing to transfer, or nobody to transfer to', async () => {
    const idle = await new Fixture().signIn();
    expect(thrown(() => idle.session.transferCall('1022'))).toBe('INVALID_STATE_ERROR');
    const t = await talking();
    for (const nobody of ['', '  ', null, undefined, {}]) {
      expect(thrown(() => t.session.transferCall(nobody as string))).toBe('GRTC_ERROR');
    }
    expect(thrown(() => t.session.transferCall(t.session))).toBe('INVALID_STATE_ERROR');
    const ringing = new Fixture();
    ringing.gateway.features = 'transfer';
    await ringing.signIn();
    await ringing.enableMedia();
    ringing.session.makeOffer('1021');
    await pass(20);
    expect(thrown(() => ringing.session.transferCall('1022'))).toBe('INVALID_STATE_ERROR');
    const plain = await new Fixture().call(); // a gateway that cannot
    expect(thrown(() => plain.session.transferCall('1022'))).toBe('INVALID_STATE_ERROR');
  });
});
