// docs/errors.md, row by row, as a page of ours hears it in a browser: calls, and a SIP server that never answers. What onGatewayError and
// onPeerClosing carry. sipp is the SIP server and whoever is behind it. Sign-ins, and some rows beside: errors_sign_in.test.ts.
// Some rows a client in the field goes through as well, which is told ROAP's error type alone.
//
// Only in virtual time (src/bridge, src/gateway): E12, E14, E41 and E62 take thousands of pages and calls, E74 and the session timer of
// E73 minutes; E78 takes two offers of a page at once, which no client makes.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callee, caller, type Script } from './sipp/script';
import { kAnswer, kOffer, phoneSdp } from './sipp/sdp';
import { Bench, type Far } from './sipp/sipp';
import { TestBrowser } from './support/browser';
import { Gateway, type Configuration } from './support/gateway';
import { MuteServer } from './support/mute_server';
import { WebParty, type PartyOptions } from './support/web_party';
import { WebServer } from './support/web_server';
import { changeable, hears, hearsInCall, hearsTheEnd, kCodecsGone, mangle, type Told } from './support/told';
import { until } from './support/wait';

const kNoAnswer = 5; // s
const kSipWaits = 45_000; // ms; for what ends with timer B or F (RFC 3261: 32 s)

let web: WebServer;
let browser: TestBrowser;
let bench: Bench; // sipp is its SIP server
let silent: Silent; // its gateway sends no OPTIONS
let asking: Silent; // its gateway does
let unanswered: Promise<Told>; // a call at the former
let page: WebParty; // at the bench, anonymous

beforeAll(async () => {
  [web, browser] = await Promise.all([WebServer.start(), TestBrowser.start({ tone: 600 })]);
  [silent, asking] = await Promise.all([startSilent({ 'options-interval': 0 }), startSilent()]);
  const anyone = await at(silent.gateway);
  await anyone.call('2001');
  unanswered = told(anyone, 'onGatewayError');
  bench = await Bench.start({ configuration: { sip: { 'no-answer': kNoAnswer } } });
  page = await at(bench.gateway);
});
afterEach(() => page?.evaluate('void (events.length = 0, window.mangle = undefined)'));
afterAll(async () => {
  await browser?.stop();
  await bench?.stop();
  await silent?.gateway.program.stop('SIGKILL');
  await asking?.gateway.stop();
  for (const each of [silent, asking]) each?.server.stop();
  await web?.stop();
});

const opened = (gateway: Gateway): Promise<WebParty> => WebParty.open(browser, web, gateway);

async function at(gateway: Gateway, options: PartyOptions = {}): Promise<WebParty> {
  const party = await WebParty.start(browser, web, gateway, options);
  await changeable(party);
  return party;
}

/** A page with a DN at the bench. */
async function registered(dn: string): Promise<WebParty> {
  const registrar = await bench.far(callee().receive('REGISTER').reply(200, { headers: ['Expires: 3600'] }));
  const party = await at(bench.gateway, { dn });
  await registrar.done();
  return party;
}

/** A SIP server that never answers, and what becomes of a sign-in there. */
interface Silent {
  readonly server: MuteServer;
  readonly gateway: Gateway;
  readonly sign: Promise<Told>;
}

async function startSilent(sip: Configuration[string] = {}): Promise<Silent> {
  const server = await MuteServer.start();
  const gateway = await Gateway.start({ sip: { server: `sip:127.0.0.1:${server.port};transport=udp`, ...sip } });
  const dn = await opened(gateway);
  await dn.evaluate("client.register('1001')");
  return { server, gateway, sign: told(dn, 'onFailed') };
}

function told(party: WebParty, event: string): Promise<Told> {
  const later = party.waitFor(event, kSipWaits);
  later.catch(() => undefined); // its test tells
  return later;
}

describe('a call that the page makes', () => {
  it.each(['null', 'x'.repeat(129)])('E20: to %s', async (to) => {
    await page.call(to);
    await hears(page, 'NOMATCH', 404, 'There is nobody of that name to call');
  });

  const q850 = (cause: number): string[] => [`Reason: Q.850;cause=${cause}`];
  const refusals: [string, number, string, string, string, string[]?][] = [
    ['E21', 404, 'Not Found', 'REFUSED', 'There is nobody of that name to call'],
    ['E22', 486, 'Busy Here', 'REFUSED', 'The called party is busy'],
    ['E22, by its cause', 480, 'Temporarily Unavailable', 'REFUSED', 'The called party is busy', q850(17)],
    ['E23', 603, 'Decline', 'REFUSED', 'The called party declined the call'],
    ['E24', 480, 'Temporarily Unavailable', 'REFUSED', 'The called party is not available at present'],
    ['E25', 480, 'Temporarily Unavailable', 'TIMEOUT', 'The called party did not answer', q850(19)],
    ['E25, cause 18', 480, 'Temporarily Unavailable', 'TIMEOUT', "The called party's phone does not respond", q850(18)],
    ['E27', 408, 'Request Timeout', 'TIMEOUT', 'The called party did not answer'],
    ['E29', 403, 'Forbidden', 'REFUSED', 'The SIP server does not allow this call'],
    ['E30, 401', 401, 'Unauthorized', 'REFUSED', 'The SIP server did not accept the name or the password for this call'],
    ['E30, 407', 407, 'Proxy Authentication Required', 'REFUSED', 'The SIP server did not accept the name or the password for this call'],
    ['E31, 488', 488, 'Not Acceptable Here', 'FAILED', "The called party's phone and this page have no codec in common"],
    ['E31, 606', 606, 'Not Acceptable', 'FAILED', "The called party's phone and this page have no codec in common"],
    ['E32', 503, 'Service Unavailable', 'FAILED', 'The SIP server is overloaded or cannot be reached'],
    ['E33', 503, 'Service Unavailable', 'FAILED', 'The lines to the called party are congested', q850(34)],
    ['E34', 500, 'Server Internal Error', 'FAILED', 'The SIP server failed'],
    ['E35', 302, 'Moved Temporarily', 'REFUSED', 'The call was redirected to where it cannot go', ['Contact: <mailto:nobody@example.com>']],
    ['E36', 486, 'In a meeting', 'REFUSED', 'The called party is busy: In a meeting'],
  ];
  const refusing = (status: number, reason: string, headers: string[] = []): Script =>
    callee().receive('INVITE').reply(status, { reason, headers }).receive('ACK');

  it.each(refusals)('%s: %i %s is %s', async (_row, status, phrase, type, sentence, headers) => {
    const far = await bench.far(refusing(status, phrase, headers));
    await page.call('2001');
    await hears(page, type, status, sentence);
    await far.done();
  });

  it.each(['field-old', 'field-new'] as const)('E21, E25, E32 to a client in the field (%s)', async (client) => {
    const party = await WebParty.start(browser, web, bench.gateway, { client });
    for (const [, status, phrase, type, , headers] of refusals.filter(([row]) => ['E21', 'E25', 'E32'].includes(row))) {
      const far = await bench.far(refusing(status, phrase, headers));
      await party.call('2001');
      expect(await party.waitFor('onGatewayError')).toEqual({ error: type });
      await party.waitFor('onPeerClosing');
      await far.done();
    }
    await party.stop();
  });

  it('E26', async () => {
    const ringing = callee().receive('INVITE').reply(180).receive('CANCEL').reply(200).reply(487, { to: 'INVITE' }).receive('ACK');
    const far = await bench.far(ringing);
    await page.call('2001');
    await hears(page, 'TIMEOUT', 408, 'Nobody answered');
    await far.done();
  });

  it.each([
    ['E31, no codec in its answer', phoneSdp({ payload: 9, codec: 'G722/8000' }), 488, 'The two sides have no codec in common'],
    ['E39', 'hello\n', 500, expect.stringMatching(/^The SIP answer cannot be read: ./)],
  ])('%s', async (_row, sdp, status, sentence) => {
    const far = await bench.far(callee().receive('INVITE').reply(200, { sdp }).receive('ACK').receive('BYE').reply(200));
    await page.call('2001');
    await hears(page, 'FAILED', status, sentence);
    await far.done();
  });

  it('E37', async () => {
    await mangle(page, "window.mangle = (text) => text.replaceAll(/a=fingerprint:[^\\\\]*\\\\r\\\\n/g, '')");
    await page.call('2001');
    await hears(page, 'FAILED', 400, expect.stringMatching(/^The offer cannot be used: ./));
  });

  it('E38', async () => {
    await mangle(page, kCodecsGone);
    await page.call('2001');
    await hears(page, 'FAILED', 488, 'No codec in the offer is one that this gateway passes on (Opus, PCMU, PCMA, VP8)');
  });
});

describe('a call that comes in', () => {
  let dn: WebParty;
  beforeAll(async () => void (dn = await registered('1001')));
  afterEach(async () => {
    await mangle(dn, 'window.mangle = undefined');
    await dn.forgetEvents();
  });
  afterAll(() => dn?.page.close());

  /** A call to the page, which gets this status in the end. */
  const calls = (status: number, offer = kOffer): Promise<Far> => bench.far(caller('1001').invite({ sdp: offer }).expect(180).expect(status));
  const noCall = async (): Promise<void> => expect((await dn.events()).map(({ name }) => name)).not.toContain('onIncomingCall');

  it('E50: nobody of that number', async () => {
    await (await bench.far(caller('1099').invite({ sdp: kOffer }).expect(404))).done();
  });

  it.each([
    ['E57', phoneSdp({ payload: 9, codec: 'G722/8000' }), 488],
    ['E58', 'hello\n', 400],
  ])('%s: the page hears nothing', async (_row, sdp, status) => {
    await (await bench.far(caller('1001').invite({ sdp }).expect(status))).done();
    await noCall();
  });

  it('E52, E51: the page rejects; it is in a call', async () => {
    const far = await calls(603);
    await dn.waitFor('onIncomingCall');
    await dn.reject();
    await far.done();
    const called = await bench.far(callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200));
    await dn.call('2001');
    await dn.waitUntilEstablished();
    await (await bench.elsewhere(caller('1001').invite({ sdp: kOffer }).expect(486))).done();
    await dn.hangUp();
    await called.done();
    await noCall();
  });

  it.each([
    ['REFUSED', 603, 'Declined by the page'],
    ['TIMEOUT', 480, 'The page did not answer'],
    ['NOMATCH', 480, 'The page did not answer'],
    ['FAILED', 488, 'The page could not use the offer'],
  ])('E53, %s', async (type, status, sentence) => {
    const far = await calls(status);
    await dn.waitFor('onIncomingCall');
    await mangle(dn, `window.mangle = (text) => text.replace(/BYE$/, 'RSMP {"messageType":"ERROR","errorType":"${type}","seq":1}')`);
    await dn.reject();
    expect(await dn.waitFor('onGatewayError')).toMatchObject({ error: 'REFUSED', sipStatus: status, reason: sentence });
    await far.done();
  });

  it('E54', async () => {
    const far = await calls(480);
    await dn.waitFor('onIncomingCall');
    await hears(dn, 'TIMEOUT', 408, 'Nobody answered');
    await far.done();
  });

  it('E56: the page calls somebody else', async () => {
    const ringing = await bench.elsewhere(caller('1001').invite({ sdp: kOffer }).expect(180).expect(486));
    await dn.waitFor('onIncomingCall');
    await mangle(dn, `window.mangle = (text) => text.replace(/^BYE$/, '').replace(/\\n\\nBYE$/, '\\n\\nnothing')`);
    await dn.reject(); // which the gateway does not hear
    expect(await dn.waitFor('onGatewayError')).toMatchObject({ sipStatus: 400 }); // E83
    const called = await bench.far(callee().receive('INVITE').reply(404, { reason: 'Not Found' }).receive('ACK'));
    await dn.call('2001');
    await ringing.done();
    await hears(dn, 'REFUSED', 404, 'There is nobody of that name to call');
    await called.done();
  });

  it.each([
    ['E59', kCodecsGone, 488, 'The two sides have no codec in common'],
    ['E60', `window.mangle = (text) => text.replaceAll('a=ice-ufrag', 'a=x')`, 500, expect.stringMatching(/^The page's answer cannot be used: ./)],
  ])('%s', async (_row, script, status, sentence) => {
    const far = await bench.far(caller('1001').invite({ sdp: kOffer }).maybe(180).expect(status));
    await mangle(dn, script);
    await dn.answer();
    await hears(dn, 'FAILED', status, sentence);
    await far.done();
  });

  it('E61: the caller gives up', async () => {
    const far = await bench.far(caller('1001').invite({ sdp: kOffer }).expect(180).cancel().expect(200).expect(487));
    await dn.waitFor('onIncomingCall');
    await hearsTheEnd(dn);
    await far.done();
  });

  it('E55: the page signs out', async () => {
    const ringing = await bench.elsewhere(caller('1001').invite({ sdp: kOffer }).expect(180).expect(480));
    await dn.waitFor('onIncomingCall');
    const registrar = await bench.far(callee().receive('REGISTER', { Expires: '0' }).reply(200));
    await dn.evaluate('client.disconnect()');
    await ringing.done();
    await registrar.done();
  });
});

describe('during a call', () => {
  const answered = (): Script => callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK');
  const hungUp = (script: Script): Script => script.receive('BYE').reply(200);
  async function talks(script: Script, party = page): Promise<Far> {
    const far = await bench.far(script);
    await party.call('2001');
    await party.waitUntilEstablished();
    return far;
  }

  it('E70: the far end hangs up', async () => {
    const far = await talks(answered().receive('INFO').reply(200).request('BYE').expect(200));
    await page.evaluate("session.sendInfo({ a: 'now' })");
    await hearsTheEnd(page);
    await far.done();
  });

  it.each([
    ['E71, by its cause', 'Q.850;cause=38;text="trunk down"', undefined, 'The call broke off: trunk down'],
    ['E71, by its status', 'SIP;cause=503;text="restarting"', 503, 'The call broke off: restarting'],
  ])('%s', async (_row, reason, status, sentence) => {
    const far = await talks(answered().receive('INFO').reply(200).request('BYE', { headers: [`Reason: ${reason}`] }).expect(200));
    await page.evaluate("session.sendInfo({ a: 'now' })");
    await hears(page, 'FAILED', status, sentence);
    await far.done();
  });

  it.each([
    ['E72', 481, 'Call/Transaction Does Not Exist', 'The other side knows nothing of the call any more'],
    ['E73', 408, 'Request Timeout', 'The other side does not answer any more'],
  ])('%s', async (_row, status, reason, sentence) => {
    const far = await talks(hungUp(answered().receive('INVITE').reply(status, { reason }).receive('ACK')));
    await page.hold();
    await hears(page, 'FAILED', status, sentence);
    await far.done();
  });

  it('E75: the page signs out', async () => {
    const leaving = await at(bench.gateway);
    const far = await talks(answered().receive('BYE', { Reason: 'Q.850;cause=27' }).reply(200), leaving);
    await leaving.stop();
    await far.done();
  });

  it('E77, E83: an offer without a common codec, a body that is no message', async () => {
    const far = await talks(hungUp(answered()));
    await mangle(page, kCodecsGone);
    await page.hold();
    await hearsInCall(page, 'FAILED', 488, 'The offer has no codec that the other side speaks; the call goes on as it was');
    await mangle(page, `window.mangle = (text) => text.replace(/INFO-MAP .*/s, 'RSMP {')`);
    await page.evaluate("session.sendInfo({ a: '1' })");
    await hearsInCall(page, 'FAILED', 400, expect.stringMatching(/./));
    await mangle(page, 'window.mangle = undefined');
    await page.hangUp();
    await far.done();
  });

  it('E79: the far end refuses data', async () => {
    const far = await talks(hungUp(answered().receive('INFO').reply(415, { reason: 'Unsupported Media Type' })));
    await page.evaluate("session.sendInfo({ a: '1' })");
    await hearsInCall(page, 'FAILED', 415, 'The other side did not take the data');
    await page.hangUp();
    await far.done();
  });

  it('E80: more data than may wait', async () => {
    const far = await bench.far(callee().receive('INVITE').reply(180).receive('CANCEL').reply(200).reply(487, { to: 'INVITE' }).receive('ACK'));
    await page.call('2001');
    await page.waitFor('onProgress');
    await page.page.evaluate(`void Array.from({ length: 17 }, (_, n) => session.sendInfo({ n: String(n) }))`);
    expect(await page.waitFor('onGatewayError')).toMatchObject({
      error: 'FAILED',
      sipStatus: 503,
      reason: 'The data was not sent: too much of it waits for the answer',
    });
    await page.hangUp();
    await far.done();
  });

  it('E81: a transfer by the page is refused', async () => {
    const far = await talks(hungUp(answered().receive('REFER').reply(603, { reason: 'Decline' })));
    await page.evaluate("session.transferCall('2002')");
    const told = await until('the transfer has failed', async () => {
      const transfer = await page.waitFor('onTransfer');
      return transfer['state'] === 'transfer-failed' ? transfer : undefined;
    });
    expect(told).toMatchObject({ sipStatus: 603, reason: expect.stringMatching(/./) });
    expect(await page.established()).toBe(true);
    await page.hangUp();
    await far.done();
  });

  it('E82, E76: a transfer by the far end fails after it has hung up; the gateway stops', async () => {
    const far = await bench.fars({
      '2001': answered()
        .request('REFER', { headers: ['Refer-To: <sip:2002@127.0.0.1>'] })
        .expect(202)
        .take('NOTIFY', { body: 'SIP/2.0 100' })
        .take('NOTIFY', { body: 'SIP/2.0 180' })
        .hangUp(),
      '2002': callee().receive('INVITE').reply(180).pause(3_000).reply(486, { reason: 'Busy Here' }).receive('ACK'),
      '2003': answered().receive('BYE', { Reason: 'SIP;cause=503' }).reply(200),
    });
    await page.call('2001');
    await hears(page, 'REFUSED', 486, 'The transfer failed: The called party is busy');
    await far['2002']!.done();
    await page.call('2003');
    await page.waitUntilEstablished();
    bench.gateway.program.signal('SIGTERM');
    await hearsTheEnd(page);
    await far['2003']!.done();
  });
});

describe('a SIP server that never answers', () => {
  it('E28: the INVITE', async () => {
    expect(await unanswered).toMatchObject({ error: 'FAILED', sipStatus: 408, reason: 'The SIP server did not answer' });
  });

  it('E8: the REGISTER', async () => {
    const message = 'The SIP server did not answer the registration of 1001 (408 Request Timeout)';
    expect(await silent.sign).toEqual({ message, status: 504, sipStatus: 408 });
  });

  it('E8: the REGISTER of a gateway that has asked whether the server is there', async () => {
    expect((await asking.sign)['message']).toMatch(/408|not answer/i);
  });

  it('E19: the gateway stops before it does', async () => {
    const party = await opened(silent.gateway);
    const { asked } = silent.server;
    await party.evaluate("client.register('1002')");
    await until('the REGISTER is under way', () => silent.server.asked > asked);
    silent.gateway.program.signal('SIGTERM');
    const message = 'The sign-in came to nothing: the gateway stops';
    expect(await party.waitFor('onFailed')).toEqual({ message, status: 503 });
  });
});
