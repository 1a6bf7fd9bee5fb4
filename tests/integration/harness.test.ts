// The harness itself: the parts that the other tests lean on are proven without a gateway.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Kamailio } from './support/kamailio';
import { Phone } from './support/baresip';
import { TestBrowser, waitForFrames, waitForSilence, waitForTone } from './support/browser';
import { plays, toneOf } from './support/tone';
import { WebServer } from './support/web_server';

describe('tone measurement', () => {
  const sine = (parts: [number, number][], rate = 8_000): Float32Array =>
    Float32Array.from({ length: rate }, (_, i) => parts.reduce((sum, [f, a]) => sum + a * Math.sin((2 * Math.PI * f * i) / rate), 0));

  it('finds a tone, tells it from another, and calls silence silence', () => {
    expect(plays(toneOf(sine([[440, 0.4]]), 8_000), 440)).toBe(true);
    expect(plays(toneOf(sine([[440, 0.4]]), 8_000), 480)).toBe(false);
    expect(plays(toneOf(sine([]), 8_000), 440)).toBe(false);
    expect(plays(toneOf(sine([[440, 0.23], [900, 0.25]]), 8_000), 900)).toBe(false); // no clear tone
  });
});

describe('two baresips through Kamailio', () => {
  let server: Kamailio;
  let alice: Phone;
  let bob: Phone;

  beforeAll(async () => {
    server = await Kamailio.start({ authentication: true });
    const common = (account: string) => ({ account, server: server.address, password: Kamailio.passwordOf(account) });
    [alice, bob] = await Promise.all([
      Phone.start({ ...common('2001'), tone: 440 }),
      Phone.start({ ...common('2002'), tone: 1_000 }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([alice?.stop(), bob?.stop()]);
    await server?.stop();
  });

  it('each hears the other, hold stops it, resume brings it back', async () => {
    await alice.dial('2002');
    await bob.answer();
    await alice.waitFor('CALL_ESTABLISHED');
    await bob.waitForTone(440);
    await alice.waitForTone(1_000);
    await bob.hold();
    await bob.waitForSilence();
    await bob.resume();
    await bob.waitForTone(440);
    await bob.hangUp();
    await alice.waitFor('CALL_CLOSED');
  });
});

describe('two Chromiums, directly', () => {
  let web: WebServer;
  let left: TestBrowser;
  let right: TestBrowser;

  beforeAll(async () => {
    [web, left, right] = await Promise.all([WebServer.start(), TestBrowser.start({ tone: 600 }), TestBrowser.start({ tone: 1_500 })]);
  });
  afterAll(async () => {
    await Promise.all([left?.stop(), right?.stop(), web?.stop()]);
  });

  it('each hears the other and sees its frames', async () => {
    const [a, b] = await Promise.all([left.open(web.url('/plain.html')), right.open(web.url('/plain.html'))]);
    const offer = await a.evaluate<string>('offer()');
    const answer = await b.evaluate<string>(`answer(${JSON.stringify(offer)})`);
    await a.evaluate(`finish(${JSON.stringify(answer)})`);
    await waitForTone(a, 1_500);
    await waitForTone(b, 600);
    expect((await waitForFrames(a, 10)).codec).toBe('video/VP8');
    await waitForFrames(b, 10);
    await a.evaluate('connection.getSenders()[0].replaceTrack(null)');
    await waitForSilence(b);
    expect(left.errors.concat(right.errors)).toEqual([]);
  });
});
