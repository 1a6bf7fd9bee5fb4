// How long after the answer speech is heard, in both directions: a page in Chromium calls a phone, which rings for a while and answers.
// The same with a client that gets no provisional answers. Prints the distribution over the calls of each.
import { TestBrowser } from '../../tests/integration/support/browser';
import { Gateway } from '../../tests/integration/support/gateway';
import { WebParty, type PartyOptions } from '../../tests/integration/support/web_party';
import { WebServer } from '../../tests/integration/support/web_server';
import { TimedPhone } from './timed_phone';

const kRingMs = 1_000;
const kCalls = Number(process.argv[2] ?? 100);
const kClients: [string, PartyOptions][] = [
  ['our client', {}],
  ['without provisional answers', { client: 'field-new' }],
];

/** In the page: listens to every remote track from its first moment on. */
const kCollect = `void (() => {
  window.context = new AudioContext();
  window.meters = [];
  const known = new WeakSet();
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (...description) {
    if (!known.has(this)) {
      known.add(this);
      this.addEventListener('track', ({ track }) => {
        const stream = new MediaStream([track]);
        const player = Object.assign(new Audio(), { muted: true, srcObject: stream }); // Chromium decodes only what is played
        void player.play();
        const meter = context.createAnalyser();
        meter.fftSize = 256; // 5 ms
        context.createMediaStreamSource(stream).connect(meter);
        meters.push({ meter, player });
      });
    }
    return original.apply(this, description);
  };
})()`;
/** In the page: notes when the first sound comes. */
const kListen = `void (window.heardAt = new Promise((resolve) => {
  const samples = new Float32Array(256);
  const heard = () => meters.some(({ meter }) => (meter.getFloatTimeDomainData(samples), samples.some((x) => Math.abs(x) > 0.01)));
  const look = () => (heard() ? resolve(performance.timeOrigin + performance.now()) : setTimeout(look, 1));
  look();
}))`;

interface Delays {
  atPhone: number[];
  atPage: number[];
}

async function measure(options: PartyOptions): Promise<Delays> {
  const delays: Delays = { atPhone: [], atPage: [] };
  const [gateway, web, browser] = await Promise.all([Gateway.start(), WebServer.start(), TestBrowser.start({ tone: 600 })]);
  const phone = await TimedPhone.register('2001', gateway.sipServer);
  const party = await WebParty.open(browser, web, gateway, options);
  await party.page.evaluate(kCollect);
  await party.evaluate('enable(true, false)');
  await party.waitFor('onMediaSuccess');
  await party.signIn();
  for (let call = 0; call < kCalls; ++call) {
    await party.page.evaluate('void (meters.length = 0)');
    const called = phone.called();
    await party.call('2001');
    await called;
    await party.page.evaluate(kListen);
    await new Promise((resolve) => setTimeout(resolve, kRingMs));
    phone.answer();
    const [atPhone, heardAt] = await Promise.all([phone.heard(), party.page.evaluate<number>('heardAt')]);
    delays.atPhone.push(atPhone);
    delays.atPage.push(heardAt - phone.answeredAt);
    const ended = phone.ended();
    await party.hangUp();
    await ended;
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  phone.close();
  await party.stop();
  await Promise.all([browser.stop(), web.stop(), gateway.stop()]);
  return delays;
}

function row(name: string, delays: number[]): string {
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(0).padStart(6);
  return `${name.padEnd(44)}${at(0)}${at(0.5)}${at(0.9)}${at(0.99)}${at(1)}`;
}

console.log(`${kCalls} calls each; a page calls a phone that answers after ${kRingMs} ms; ms from its 200 to the first sound`);
console.log(`${''.padEnd(44)}${['min', '50 %', '90 %', '99 %', 'max'].map((title) => title.padStart(6)).join('')}`);
for (const [name, options] of kClients) {
  const { atPhone, atPage } = await measure(options);
  console.log(row(`${name}: page heard at the phone`, atPhone));
  console.log(row(`${name}: phone heard at the page`, atPage));
}
