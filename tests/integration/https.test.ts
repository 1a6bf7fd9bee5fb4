// The wire over TLS, with a certificate of the test's own: requests, a hanging GET, a WebSocket, and what a page that waits costs.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCertificate } from './support/certificate';
import { FrameClient, type Closing } from './support/frames';
import { Gateway } from './support/gateway';
import { until } from './support/wait';

describe('a gateway with a certificate', () => {
  let gateway: Gateway;
  let ca: Buffer;
  beforeAll(async () => {
    const { certificate, key, pem } = makeCertificate('IP:127.0.0.1');
    ca = pem;
    gateway = await Gateway.start({ http: { 'tls-certificate': certificate, 'tls-key': key } });
  });
  afterAll(() => gateway?.stop());

  const ask = (path: string, agent?: Agent): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = request(`https://${gateway.http}${path}`, { ca, ...(agent ? { agent } : {}) }, (reply) => {
        let body = '';
        reply.setEncoding('utf8').on('data', (text: string) => (body += text));
        reply.on('end', () => resolve(body)).on('error', reject);
      });
      asked.on('error', reject).end();
    });
  const signIn = async (): Promise<string> => /^id=(\w+)$/m.exec(await ask(`/sign_in?anon${crypto.randomUUID().replaceAll('-', '')}`))![1]!;

  it('signs in, waits and signs out', async () => {
    const ssid = await signIn();
    const poll = ask(`/wait?id=${ssid}`);
    await until('it waits', async () => (await gateway.metric('http_waiting')) === 2); // and this question
    await ask(`/sign_out?id=${ssid}`);
    expect(await poll).toBe('');
  });

  it('opens a WebSocket, takes a message, and closes it at sign-out with the code for that', async () => {
    const ssid = await signIn();
    const texts: string[] = [];
    let closing: Closing | undefined;
    const listener = { handleText: (text: string) => void texts.push(text), handleClose: (end: Closing) => void (closing = end) };
    const socket = await FrameClient.open(`https://${gateway.http}/signalling?id=${ssid}`, listener, { ca } as never);
    socket.send('n: 1\nto: 1\n\nnonsense');
    await until('the message is taken and answered', () => texts.length === 2);
    expect(texts[0]).toBe('taken: 1\n\n');
    expect(texts[1]).toMatch(/^sequence: 1\npeer: gateway\n\nSDP .*"ERROR"/);
    await ask(`/sign_out?id=${ssid}`);
    expect(await until('it is closed', () => closing)).toEqual({ code: 1000, reason: 'Signed out' });
  });

  it('refuses a WebSocket to a page from elsewhere', async () => {
    const ssid = await signIn();
    const listener = { handleText: () => undefined, handleClose: () => undefined };
    const options = { ca, headers: { Origin: 'https://elsewhere.example' } } as never;
    await expect(FrameClient.open(`https://${gateway.http}/signalling?id=${ssid}`, listener, options)).rejects.toThrow('status 403');
  });

  it('holds less than 30 kB for a page that waits', async () => {
    const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${gateway.program.pid}/status`, 'utf8'))![1]);
    const kPages = 300;
    const agent = new Agent({ keepAlive: true, maxSockets: kPages + 10 });
    const waiting: Promise<unknown>[] = [];
    const wait = async (): Promise<void> => void waiting.push(ask(`/wait?id=${await signIn()}`, agent).catch(() => undefined));
    for (let i = 0; i < 100; ++i) await wait(); // what the process needs once
    const before = resident();
    for (let i = 0; i < kPages - 100; ++i) await wait();
    const each = (resident() - before) / (kPages - 100);
    console.info(`${each.toFixed(1)} kB for each page that waits over TLS`);
    expect(each).toBeLessThan(30);
    agent.destroy();
    await Promise.all(waiting);
  });
});
