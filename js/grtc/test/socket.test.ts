// The WebSocket and the hanging GET taking over from each other, without a message lost or doubled.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { numberOf, readFrame, writeFrame } from '../src/frames.js';
import { Fixture, pass, settle } from './fixture.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const kAll = 'ack,progress,provisional,websocket,resume,transfer';

async function signedIn(configuration = {}, prepare: (t: Fixture) => void = () => undefined): Promise<Fixture> {
  const t = new Fixture(configuration);
  prepare(t);
  return t.signIn('1020', kAll);
}

const infos = (t: Fixture): unknown[] => t.events.filter(([name]) => name === 'onInfoFromPeer').map(([, data]) => data);
const numbers = (...all: number[]): unknown[] => all.map((n) => ({ n: String(n) }));

describe('Frames', () => {
  it('are lines, an empty line and a body that may hold anything', () => {
    const text = writeFrame({ n: 3, to: '1021' }, 'BYE\n\nlater');
    expect(text).toBe('n: 3\nto: 1021\n\nBYE\n\nlater');
    const { headers, body } = readFrame(text);
    expect([headers.get('n'), headers.get('to'), body]).toEqual(['3', '1021', 'BYE\n\nlater']);
  });

  it('are read with CRLF, without a body, and with lines that mean nothing', () => {
    expect(readFrame('Sequence: 7\r\nnonsense\r\npeer:1021\r\n\r\nBYE')).toEqual({
      headers: new Map([['sequence', '7'], ['peer', '1021']]),
      body: 'BYE',
    });
    expect(readFrame('taken: 3')).toEqual({ headers: new Map([['taken', '3']]), body: '' });
    expect(readFrame('\nBYE').body).toBe('BYE');
  });

  it.each([['7', 7], ['0', 0], ['-1', null], ['1e3', null], ['', null], [undefined, null], ['9'.repeat(16), null]])(
    'the number %s is %s',
    (text, number) => expect(numberOf(text)).toBe(number),
  );
});

describe('The WebSocket', () => {
  it('is opened where the gateway has it, and ends the hanging GET', async () => {
    const t = await signedIn();
    const [socket] = t.gateway.openSockets;
    expect(socket?.url).toBe(
      'http://gw.example:8086/signalling?id=S1&ack=0&features=ack,progress,provisional,websocket',
    );
    expect(t.gateway.openPolls).toEqual([]);
    await pass(60_000);
    expect(t.gateway.requestsFor('/wait')).toHaveLength(1);
  });

  it('is not opened where the gateway has none, or the browser', async () => {
    const none = new Fixture();
    none.gateway.features = 'ack,progress';
    await none.signIn();
    expect(none.gateway.sockets).toEqual([]);
    const old = await signedIn({}, (t) => void (t.platform.hasSockets = false));
    expect(old.gateway.openPolls).toHaveLength(1);
  });

  it('carries messages to the page, each acknowledged, none twice', async () => {
    const t = await signedIn();
    t.gateway.send('INFO-PEER n=1');
    t.gateway.send('INFO-PEER n=2');
    t.gateway.openSockets[0]?.say('sequence: 2\n\nINFO-PEER n=2');
    await settle();
    expect(infos(t)).toEqual(numbers(1, 2));
    expect(t.gateway.openSockets[0]?.frames).toEqual(['ack: 1\n\n', 'ack: 2\n\n', 'ack: 2\n\n']);
  });

  it('carries messages of the page, in order and numbered, but not BYE', async () => {
    const t = await signedIn();
    await t.callSignedIn();
    t.session.closeSession(true);
    await settle();
    const told = t.gateway.posts.map(({ number, way, to, body }) => [number, way, to, body.slice(0, 4)]);
    expect(told).toEqual([
      [1, 'WebSocket', '1021', 'RSMP'],
      [2, 'WebSocket', '1021', 'RSMP'],
      [3, 'POST', '1021', 'BYE'],
    ]);
    expect(t.gateway.keepalives).toEqual(['/message']);
  });

  it('when it is cut, the hanging GET goes on at once where it broke off', async () => {
    const t = await signedIn();
    t.gateway.send('INFO-PEER n=1');
    t.gateway.openSockets[0]?.end(1006);
    t.gateway.send('INFO-PEER n=2');
    await settle();
    expect(infos(t)).toEqual(numbers(1, 2));
    expect(t.gateway.openPolls[0]).toContain('&ack=2&');
    expect(t.count('onConnectionError')).toBe(0);
    t.gateway.openSockets[0]?.end(1006);
  });

  it('is tried again after pauses that grow, and at once after another network', async () => {
    const t = await signedIn({}, ({ gateway }) => void (gateway.blocksSockets = true));
    expect(t.gateway.openPolls).toHaveLength(1);
    await pass(8000 + 5000 - 1); // not open in time, then the first pause
    expect(t.gateway.sockets).toHaveLength(1);
    await pass(1);
    expect(t.gateway.sockets).toHaveLength(2);
    await pass(8000 + 10_000 - 1);
    expect(t.gateway.sockets).toHaveLength(2);
    await pass(1);
    expect(t.gateway.sockets).toHaveLength(3);
    t.gateway.blocksSockets = false;
    t.platform.changeNetwork();
    await settle();
    expect(t.gateway.openSockets).toHaveLength(1);
    expect(t.gateway.openPolls).toEqual([]);
    expect(t.count('onConnectionError')).toBe(0);
  });

  it('a message that it did not confirm is posted, with its number', async () => {
    const t = await signedIn();
    await t.enableMedia();
    t.gateway.confirms = false;
    t.session.makeOffer('1021');
    await pass(20);
    t.gateway.openSockets[0]?.end(1006);
    await settle();
    expect(t.gateway.posts.map(({ number, way }) => [number, way])).toEqual([[1, 'POST']]);
  });

  it('that no longer answers is given up, and what it did not confirm is posted', async () => {
    const t = await signedIn();
    await t.enableMedia();
    t.gateway.confirms = false;
    t.session.makeOffer('1021');
    await pass(20 + 10_000);
    expect(t.gateway.posts.map(({ number, way }) => [number, way])).toEqual([[1, 'POST']]);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('is put to the test after a silence', async () => {
    const t = await signedIn({ polling_timeout: 20_000 });
    await pass(20_000);
    expect(t.gateway.openSockets[0]?.frames).toEqual(['n: 0\nto: \n\n']);
    expect(t.gateway.posts).toEqual([]);
    await pass(20_000);
    expect(t.gateway.openSockets).toHaveLength(1);
    t.gateway.confirms = false;
    await pass(20_000 + 10_000);
    expect(t.gateway.openSockets).toEqual([]);
    expect(t.gateway.openPolls).toHaveLength(1);
  });

  it('closed because the session was signed out elsewhere, the client is signed out', async () => {
    const t = await signedIn();
    t.gateway.openSockets[0]?.end(1000);
    await pass(30_000);
    expect(t.names()).toEqual(['onRegister', 'onDisconnect']);
    expect(t.gateway.sockets).toHaveLength(1);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('is closed at sign-out, and nothing is opened again', async () => {
    const t = await signedIn();
    t.client.disconnect();
    await pass(60_000);
    expect(t.gateway.openSockets).toEqual([]);
    expect(t.gateway.sockets).toHaveLength(1);
    expect(t.gateway.openPolls).toEqual([]);
  });

  it('cut at random, loses nothing and doubles nothing', async () => {
    const t = await signedIn();
    let random = 7;
    const chance = (): number => ((random = (random * 48271) % 2147483647) / 2147483647);
    for (let n = 1; n <= 200; n += 1) {
      t.gateway.send(`INFO-PEER n=${n}`);
      if (chance() < 0.2) t.gateway.openSockets[0]?.end(1006);
      if (chance() < 0.1) t.platform.changeNetwork();
      await pass(Math.floor(chance() * 3000));
    }
    await pass(20_000);
    expect(infos(t)).toEqual(numbers(...Array.from({ length: 200 }, (_, index) => index + 1)));
  });

  it('cut at random, brings each message of the page once and in order, whatever is not confirmed', async () => {
    const t = await signedIn();
    await t.callSignedIn();
    let random = 11;
    const chance = (): number => ((random = (random * 48271) % 2147483647) / 2147483647);
    for (let n = 1; n <= 200; n += 1) {
      t.gateway.losesConfirmations = chance() < 0.2;
      if (chance() < 0.1) t.gateway.failPosts += 1;
      t.session.sendInfo({ n });
      if (chance() < 0.2) t.gateway.openSockets[0]?.end(1006);
      if (chance() < 0.1) t.platform.changeNetwork();
      await pass(Math.floor(chance() * 3000));
    }
    t.gateway.losesConfirmations = false;
    await pass(300_000);
    const said = t.gateway.bodies.filter((body) => body.startsWith('INFO-MAP')).map((body) => Number(body.slice(11)));
    expect(said).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    expect(new Set(t.gateway.posts.map(({ way }) => way))).toEqual(new Set(['POST', 'WebSocket']));
  });
});
