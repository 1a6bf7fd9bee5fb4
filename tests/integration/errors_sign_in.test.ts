// The rows of docs/errors.md on sign-ins that fail, as a page of ours hears them in a browser: what onFailed carries. And those of calls that
// take a gateway of their own. E8 and E19: errors.test.ts, which says what is not here.
import { createSocket } from 'node:dgram';
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callee } from './sipp/script';
import { Bench } from './sipp/sipp';
import { TestBrowser } from './support/browser';
import type { ClientKind } from './support/contenders';
import { Gateway, type Configuration } from './support/gateway';
import { freePorts } from './support/ports';
import { hears, type Told } from './support/told';
import { until } from './support/wait';
import { WebParty } from './support/web_party';
import { WebServer } from './support/web_server';

let web: WebServer;
let browser: TestBrowser;
let bench: Bench; // sipp is its SIP server
const gateways: Gateway[] = []; // of single tests
const startGateway = async (configuration?: Configuration): Promise<Gateway> => {
  const gateway = await Gateway.start(configuration);
  gateways.push(gateway);
  return gateway;
};

beforeAll(async () => {
  [web, browser, bench] = await Promise.all([WebServer.start(), TestBrowser.start({ tone: 600 }), Bench.start()]);
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.program.stop('SIGKILL'); // if the test has not come to its end
});
afterAll(async () => {
  await browser?.stop();
  await bench?.stop();
  await web?.stop();
});

describe('a sign-in that fails', () => {
  async function fails(gateway: Gateway, script: string, configuration: Told = {}, client: ClientKind = 'grtc'): Promise<Told> {
    const party = await WebParty.open(browser, web, gateway, { configuration, client });
    await party.evaluate(script);
    const told = await party.waitFor('onFailed');
    await party.page.close();
    return told;
  }
  const kE1 = 'The id to sign in with is missing, too long, or has characters that are not printable';
  const challenge = { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=MD5'] };
  const password = { sip_username: '1001', sip_password: 'wrong' };

  it.each([
    ['E1, too long', `client.register('1'.repeat(129))`, {}, 400, kE1],
    ['E1, not printable', `client.register('10\\u000101')`, {}, 400, kE1],
    ['E1, its password', `client.register('1001')`, { sip_username: '1001', sip_password: 'x'.repeat(257) }, 400, kE1],
  ])('%s', async (_row, script, configuration, status, message) => {
    expect(await fails(bench.gateway, script, configuration)).toEqual({ message, status });
  });

  it('E2', async () => {
    expect(await fails(bench.gateway, `client.register('10%zz')`, {}, 'field-new')).toEqual({ message: expect.stringMatching(/^400/) });
  });

  it.each([
    ['E5, without a password', 401, 403, 'did not accept the password of 1001 (401 Unauthorized)', {}],
    ['E5, the password is wrong', 401, 403, 'did not accept the password of 1001 (401 Unauthorized)', password],
    ['E5, 407', 407, 403, 'did not accept the password of 1001 (407 Proxy Authentication Required)', {}],
    ['E6', 403, 403, 'does not let 1001 sign in (403 Forbidden)', {}],
    ['E7', 404, 404, 'does not know 1001 (404 Not Found)', {}],
    ['E9', 503, 503, 'is overloaded or cannot be reached, so 1001 is not signed in (503 Service Unavailable)', {}],
    ['E10', 500, 502, 'refused to register 1001 (500 Server Internal Error)', {}],
  ])('%s', async (_row, sipStatus, status, words, configuration) => {
    const reason = /\(\d+ (.*)\)$/.exec(words)![1]!;
    const script = callee().receive('REGISTER').reply(sipStatus, { reason, ...(sipStatus === 401 ? challenge : {}) });
    if (sipStatus === 401) script.receive('REGISTER', { Authorization: '1001' }).reply(401, { reason, ...challenge });
    const far = await bench.far(script);
    expect(await fails(bench.gateway, `client.register('1001')`, configuration)).toEqual({ message: `The SIP server ${words}`, status, sipStatus });
    await far.done();
  });

  it('E6 to clients in the field', async () => {
    for (const client of ['field-old', 'field-new'] as const) {
      const far = await bench.far(callee().receive('REGISTER').reply(403, { reason: 'Forbidden' }));
      expect((await fails(bench.gateway, `client.register('1001')`, {}, client))['message']).toMatch(/^403/);
      await far.done();
    }
  });

  it('E3, E4: who must say who it is', async () => {
    const gateway = await startGateway({ auth: { policy: 'password', anonymous: false }, 'sip-server': { password: 'secret' } });
    expect(await fails(gateway, 'client.connect()')).toEqual({ message: 'signing in without a DN is not allowed here', status: 403 });
    expect(await fails(gateway, `client.register('1001')`)).toEqual({ message: 'a DN signs in with a password here', status: 403 });
    await gateway.stop();
  });

  it('E18: the SIP server asked for no password where one must be checked', async () => {
    const far = await bench.far(callee().receive('REGISTER').reply(200, { headers: ['Expires: 3600'] }));
    const gateway = await startGateway({
      auth: { policy: 'password' },
      sip: { server: `sip:127.0.0.1:${bench.port};transport=udp`, 'options-interval': 0 },
    });
    const message = 'The SIP server did not ask for the password of 1001, so nobody checked it';
    expect(await fails(gateway, `client.register('1001')`, password)).toEqual({ message, status: 403 });
    await far.done();
  });

  it('E15: another sign-in of the DN has taken its place', async () => {
    const gateway = await startGateway();
    const taken = await WebParty.start(browser, web, gateway, { dn: '1001' });
    const other = await WebParty.start(browser, web, gateway, { dn: '1001' });
    expect(await taken.waitFor('onDisconnect')).toEqual({ message: 'The gateway has ended the session: The DN has signed in elsewhere.' });
    await Promise.all([taken.page.close(), other.stop()]);
    await gateway.stop();
  });

  it('E16, E17: a page from elsewhere, another name of the gateway', async () => {
    const gateway = await startGateway({ http: { 'allowed-origins': ['https://example.com'] } });
    expect(await fails(gateway, 'client.connect()')).toEqual({ message: expect.stringMatching(/answers, but not to this page/) });
    const asked = (headers: Record<string, string>): Promise<string> =>
      new Promise((resolve, reject) => {
        const sent = request(`${gateway.url}/sign_in`, { method: 'POST', headers }, (reply) => {
          reply.setEncoding('utf8').once('data', (text: string) => resolve(`${reply.statusCode} ${text.trim()}`));
        });
        sent.on('error', reject).end('1001:undefined');
      });
    expect(await asked({ Origin: web.url('') })).toBe('403 pages from there may not sign in here: see [http] allowed-origins');
    expect(await asked({ Host: 'gateway.example.com' })).toBe(
      '421 this gateway is for this machine: use localhost or its address; [http] behind-proxy says that a proxy passes requests on',
    );
    await gateway.stop();
  });

  it('E11, E32, E40: a SIP server that is known not to be there, and no RTP port', async () => {
    const [port, rtp] = [await freePorts(1), await freePorts(2)];
    const gateway = await startGateway({
      sip: { server: `sip:127.0.0.1:${port};transport=tcp`, 'options-interval': 1 },
      media: { 'rtp-port-min': rtp, 'rtp-port-max': rtp + 1 },
    });
    await until('the gateway misses its server', async () => (await gateway.metric('sip_server_unreachable')) === 1);
    expect(await fails(gateway, `client.register('1001')`)).toEqual({
      message: 'The SIP server cannot be reached at present: try again later',
      status: 503,
    });
    const anyone = await WebParty.start(browser, web, gateway);
    await anyone.call('2001');
    await hears(anyone, 'FAILED', 503, expect.stringMatching(/^The SIP server is overloaded or cannot be reached/));
    const taken = createSocket('udp4');
    await new Promise<void>((resolve) => taken.bind(rtp, '127.0.0.1', resolve));
    await anyone.call('2001');
    await hears(anyone, 'FAILED', 503, 'The gateway has no RTP port left');
    taken.close();
    await anyone.stop();
    await gateway.stop();
  });
});
