// The way to the SIP server: TLS, names with several servers behind them, a server that restarts, and who may call us past it.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WirePage } from './sipp/wire_page';
import { Gateway, type Configuration } from './support/gateway';
import { Kamailio } from './support/kamailio';
import { NameServer } from './support/name_server';
import { scratchFolder } from './support/program';
import { hearEachOther } from './support/talk';
import { until } from './support/wait';
import { World } from './support/world';

const started: { stop(): unknown }[] = [];
const ended = <T extends { stop(): unknown }>(one: T): T => (started.push(one), one);
const pages: WirePage[] = [];
const signIn = async (gateway: Gateway, dn: string): Promise<WirePage> => {
  const page = await WirePage.signIn(gateway, { dn });
  pages.push(page);
  return page;
};

afterEach(async () => {
  pages.splice(0).forEach((page) => page.leave());
  for (const one of started.splice(0).reverse()) await one.stop();
});

const startGateway = async (sip: Configuration[string]): Promise<Gateway> => ended(await Gateway.start({ sip }));

/** A call from one page to the other by way of the SIP server, ended by the caller. */
async function callWorks(caller: WirePage, callee: WirePage, number: string): Promise<void> {
  await caller.offer(number);
  await callee.answer();
  await caller.answered(number);
  await caller.send(number, 'BYE');
  await callee.next(/^BYE/);
}

async function metric(gateway: Gateway, name: string): Promise<number> {
  const text = await fetch(`${gateway.url}/metrics`).then((reply) => reply.text());
  return Number(new RegExp(`^crosspoint_${name}(?:_total)? (\\d+)`, 'm').exec(text)?.[1]);
}

describe('TLS to Kamailio', () => {
  const folder = scratchFolder('certificates');
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  /** A file with a certificate for that name and its key; it is its own authority. */
  const certificate = (name: string): string => {
    const file = join(folder, `${name}.pem`);
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...names, '-keyout', file, '-out', `${name}.crt`);
    execFileSync('sh', ['-c', `cat ${name}.crt >> ${name}.pem`], { cwd: folder });
    return file;
  };
  const start = async (shown: string, trusted: string): Promise<Gateway> => {
    const kamailio = ended(await Kamailio.start({ certificate: shown }));
    return startGateway({ server: `sip:127.0.0.1:${kamailio.tlsPort};transport=tls`, domain: 'crosspoint.test', 'tls-ca': trusted });
  };

  it('two pages sign in and call each other, again and again', async () => {
    const file = certificate('crosspoint.test');
    const gateway = await start(file, file);
    const [one, two] = [await signIn(gateway, '1001'), await signIn(gateway, '1002')];
    for (let round = 0; round < 2; ++round) {
      await callWorks(one, two, '1002');
      await callWorks(two, one, '1001');
    }
  });

  it.each([
    ['is for another name', 'other.test', 'other.test', 'it is not for crosspoint.test'],
    ['is of an unknown authority', 'crosspoint.test', 'other.test', 'self-signed certificate'],
  ])('a server whose certificate %s is refused, and the page is told', async (_title, shown, trusted, why) => {
    const gateway = await start(certificate(shown), certificate(trusted));
    const reply = await fetch(`${gateway.url}/sign_in`, { method: 'POST', body: '1001:undefined' });
    expect(reply.status).toBe(503);
    const text = await reply.text();
    expect(`${reply.statusText} ${text}`).toContain("the server's certificate is not accepted");
    expect(`${reply.statusText} ${text}`).toContain(why);
    await gateway.program.waitForOutput(/the server's certificate is not accepted/);
  });
});

describe('a SIP server that is a name', () => {
  const behindName = async (first: number, second: number): Promise<Gateway> => {
    const dns = ended(await NameServer.start());
    dns.setAddress('sip1.crosspoint.test', '127.0.0.1');
    dns.setServices('_sip._udp.crosspoint.test', [
      { priority: 10, port: first, host: 'sip1.crosspoint.test' },
      { priority: 20, port: second, host: 'sip1.crosspoint.test' },
    ]);
    return startGateway({ server: 'sip:crosspoint.test', 'dns-servers': [dns.address] });
  };

  it('the server with the lower priority number is used, the other one when that is gone', async () => {
    const [first, second] = [ended(await Kamailio.start()), ended(await Kamailio.start())];
    const gateway = await behindName(first.port, second.port);
    const [one, two] = [await signIn(gateway, '1001'), await signIn(gateway, '1002')];
    await callWorks(one, two, '1002');
    expect(first.program.log).toContain('INVITE from 1001 to 1002');
    await first.stop();
    const [three, four] = [await signIn(gateway, '1003'), await signIn(gateway, '1004')];
    await callWorks(three, four, '1004');
    expect(second.program.log).toContain('INVITE from 1003 to 1004');
  });

  it('a sign-in does not wait long for a server that is silent', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    ended({ stop: () => silent.close() });
    const gateway = await behindName(silent.address().port, ended(await Kamailio.start()).port);
    const before = Date.now();
    await signIn(gateway, '1001');
    expect(Date.now() - before).toBeLessThan(10_000);
    expect(await metric(gateway, 'sip_failovers')).toBeGreaterThan(0);
  });
});

describe('who may call past the server', () => {
  const invite = (gateway: Gateway, from: string, port: number): string =>
    [
      `INVITE sip:1001@${gateway.sip} SIP/2.0`,
      `Via: SIP/2.0/UDP ${from}:${port};branch=z9hG4bK${port}`,
      `From: <sip:x@${from}>;tag=${port}`,
      `To: <sip:1001@${gateway.sip}>`,
      `Call-ID: ${port}@${from}`,
      'CSeq: 1 INVITE',
      `Contact: <sip:x@${from}:${port}>`,
      'Content-Length: 0',
      '\r\n',
    ].join('\r\n');
  const statusFor = async (gateway: Gateway, from: string): Promise<number> => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, from, resolve));
    const [host, port] = gateway.sip.split(':') as [string, string];
    const heard: string[] = [];
    socket.on('message', (data) => heard.push(data.toString()));
    socket.send(invite(gateway, from, socket.address().port), Number(port), host);
    const status = await until('an answer', () => heard.map((text) => Number(/^SIP\/2.0 (\d+)/.exec(text)?.[1])).find((code) => code > 100));
    socket.close();
    return status;
  };

  it('an INVITE from an address that is not the server\'s does not ring the page', async () => {
    const gateway = await startGateway({});
    const page = await signIn(gateway, '1001');
    expect(await statusFor(gateway, '127.0.0.2')).toBe(403);
    expect(await metric(gateway, 'sip_strangers')).toBe(1);
    expect(page.unread).toEqual([]);
    expect(await statusFor(gateway, '127.0.0.1')).toBe(180);
    await page.next(/^INVITE/);
  });

  it('accept-from names who else may', async () => {
    const gateway = await startGateway({ 'accept-from': ['127.0.0.2/31'] });
    const page = await signIn(gateway, '1001').catch(() => undefined);
    expect(page).toBeDefined();
    expect(await statusFor(gateway, '127.0.0.2')).toBe(180);
    expect(await statusFor(gateway, '127.0.0.1')).toBe(403);
  });
});

describe('a SIP server that restarts', () => {
  it('the call goes on, the registration recovers by itself, and the next call arrives', async () => {
    const world = ended(await World.start({ server: 'kamailio', transport: 'tcp', tones: [600], configuration: { sip: { 'options-interval': 1 } } }));
    const [page, phone] = [await world.party({ dn: '1001' }), await world.phone('2001', 1_000)];
    const bothHear = (): Promise<void> => hearEachOther(page, phone);
    await page.call('2001');
    await phone.answer();
    await page.waitUntilEstablished();
    await bothHear();

    await world.kamailio!.stop();
    await until('the gateway misses the server', async () => (await metric(world.gateway, 'sip_server_unreachable')) === 1 || undefined);
    await bothHear();
    const fresh = ended(await world.kamailio!.again());
    await until('the gateway has the server back', async () => (await metric(world.gateway, 'sip_server_unreachable')) === 0 || undefined);
    await bothHear();
    await page.hangUp();
    await phone.waitFor('CALL_CLOSED');

    const second = await world.phone('2002', 1_400, { server: fresh.address });
    await second.dial('1001');
    expect((await page.answer())['peer']).toContain('2002');
    await second.waitFor('CALL_ESTABLISHED');
    await hearEachOther(page, second);
  });
});
