// What strangers, operators and broken networks can do wrong: a clear error at the right place, and nothing else is lost.
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Phone } from './support/baresip';
import { TestBrowser } from './support/browser';
import { Gateway, kBinary } from './support/gateway';
import { Program } from './support/program';
import { RawClient, kOfferOfNothing, offerOf } from './support/raw_client';
import { hearEachOther } from './support/talk';
import { within } from './support/wait';
import { WebParty } from './support/web_party';
import { WebServer } from './support/web_server';
import { World } from './support/world';

describe('bad input beside a call', () => {
  let world: World;
  let page: WebParty;
  let phone: Phone;

  beforeAll(async () => {
    world = await World.start({ tones: [600] });
    [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', 1_000)]);
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
  });
  afterAll(() => world?.stop());

  it('an unknown session: its poll is told to sign in again, its message is dropped', async () => {
    const wait = await RawClient.request(world.gateway, '/wait?id=S00nobodyofthatnameatall');
    expect(wait.status).toBe(404);
    expect(wait.body).toMatch(/sign in again/);
    const message = await RawClient.request(world.gateway, '/message?from=S00nobodyofthatnameatall&to=2001', 'BYE');
    expect(message.status).toBe(200);
    expect((await RawClient.request(world.gateway, '/sign_out?id=S00nobodyofthatnameatall')).status).toBe(200);
  });

  it.each([
    ['a body that is no message', 'HELLO there'],
    ['an empty body', ''],
    ['broken JSON', 'RSMP {"messageType":"OFFER","sdp":'],
    ['JSON that is no ROAP', 'RSMP [1,2,3]'],
    ['ROAP of an unknown type', 'RSMP {"messageType":"MAYBE","seq":1}'],
  ])('%s: the page hears that it was not understood', async (_, body) => {
    const client = await RawClient.signIn(world.gateway);
    expect((await client.send('2001', body)).status).toBe(200);
    const error = await client.nextError();
    expect(error.errorType).toBe('FAILED');
    expect(error.sipStatus).toBe(400);
    expect(error.reason).toBeTruthy();
  });

  it.each([
    ['that is no SDP', 'hello'],
    ['without any section', kOfferOfNothing],
    ['without ICE and keys', `${kOfferOfNothing}m=audio 9 RTP/SAVPF 0\r\na=mid:0\r\n`],
  ])('an offer %s: the call ends with the reason', async (_, sdp) => {
    const client = await RawClient.signIn(world.gateway);
    await client.offer('2001', sdp);
    const error = await client.nextError();
    expect(error.sipStatus).toBe(400);
    expect(error.reason).toMatch(/offer/i);
    expect((await client.next()).body).toMatch(/^BYE/);
    expect(phone.seen('CALL_INCOMING')).toBe(false);
  });

  it('an offer whose codecs nobody speaks: the call ends with 488', async () => {
    const client = await RawClient.signIn(world.gateway);
    await client.offer('echo', offerOf(96, 'SPEEX/16000'));
    const error = await client.nextError();
    expect(error.sipStatus).toBe(488);
    expect(error.reason).toMatch(/codec/i);
    expect((await client.next()).body).toMatch(/^BYE/);
  });

  it('paths, methods and sizes that HTTP does not have here', async () => {
    expect((await RawClient.request(world.gateway, '/no/such/page')).status).toBe(404);
    expect((await RawClient.request(world.gateway, '/sign_in?')).status).toBe(400);
    expect((await RawClient.request(world.gateway, `/sign_in?${'1'.repeat(2_000)}`)).status).toBe(400);
    const client = await RawClient.signIn(world.gateway);
    expect((await client.send('2001', 'RSMP ' + 'x'.repeat(300_000))).status).toBe(413);
  });

  it('the call beside all this goes on', async () => {
    await hearEachOther(page, phone);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });
});

// One that does not answer at all: errors.test.ts.
describe('a SIP server that', () => {
  let browser: TestBrowser;
  let web: WebServer;
  let server: Socket;

  beforeAll(async () => {
    [browser, web] = await Promise.all([TestBrowser.start({ tone: 600 }), WebServer.start()]);
    server = createSocket('udp4');
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
    server.on('message', (request, from) => {
      server.send(respond(request.toString(), '403 Not from here'), from.port, from.address);
    });
  });
  afterAll(async () => {
    await Promise.all([browser?.stop(), web?.stop()]);
    server?.close();
  });

  it('says 403: the page hears it', async () => {
    const gateway = await Gateway.start({ sip: { server: `sip:127.0.0.1:${server.address().port};transport=udp` } });
    const page = await WebParty.open(browser, web, gateway);
    await page.evaluate('client.register("1001")');
    const failed = await page.waitFor('onFailed');
    expect(failed['message']).toMatch(/403 Not from here/);
    await page.page.close();
    await gateway.stop();
  });
});

describe('an operator', () => {
  const failing = async (toml: string, options: string[] = []): Promise<{ code: number | null; log: string }> => {
    const program = Gateway.launch(toml, options);
    const { code } = await within('the gateway ends', program.exited);
    return { code, log: program.log };
  };

  it('gives a port that is taken: it says which, and ends with 1', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, log } = await failing(`[rsmp]\nhttp-port = ${port}\n[sip-server]\nport = 0\n`);
    taken.close();
    expect(code).toBe(1);
    expect(log).toMatch(new RegExp(`cannot start.*${port}`));
  });

  it('misspells a key: it says where, what was meant, and ends with 2', async () => {
    const { code, log } = await failing('[rsmp]\nhttp-prot = 8086\n');
    expect(code).toBe(2);
    expect(log).toMatch(/crosspoint\.toml:2: .*http-prot.*http-port/);
  });

  it('gives a value of the wrong kind: it says where and what is expected', async () => {
    const { code, log } = await failing('[media]\n\nworkers = "many"\n');
    expect(code).toBe(2);
    expect(log).toMatch(/crosspoint\.toml:3: .*workers.*number/);
  });

  it('writes no TOML: it says where', async () => {
    const { code, log } = await failing('[rsmp\n');
    expect(code).toBe(2);
    expect(log).toMatch(/crosspoint\.toml:1: /);
  });

  it('opens it to the network without TLS and without saying who may sign in: it refuses', async () => {
    const { code, log } = await failing('[http]\naddress = "0.0.0.0"\n');
    expect(code).toBe(2);
    expect(log).toMatch(/tls-certificate/);
    expect(log).toMatch(/policy/);
  });

  it('has a correct file checked', async () => {
    const example = new URL('../../deploy/crosspoint.toml', import.meta.url).pathname;
    const program = new Program('crosspoint check', kBinary, ['check', example]);
    expect((await within('it ends', program.exited)).code, program.log).toBe(0);
  });
});

/** A response to a SIP request, as short as a response can be. */
function respond(request: string, status: string): string {
  const headers = request.split('\r\n').filter((line) => /^(via|v|from|f|to|t|call-id|i|cseq):?/i.test(line));
  const tagged = headers.map((line) => (/^(to|t):/i.test(line) && !line.includes('tag=') ? `${line};tag=there` : line));
  return `SIP/2.0 ${status}\r\n${tagged.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
}
