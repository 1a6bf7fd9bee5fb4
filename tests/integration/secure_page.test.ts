// Pages in Chromium and a gateway with TLS, by names that are not this machine's: the page that the gateway serves itself, pages that
// come from elsewhere and send credentials (CORS), and one that is not allowed.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser, waitForTone } from './support/browser';
import { makeCertificate } from './support/certificate';
import type { ClientKind } from './support/contenders';
import { Gateway } from './support/gateway';
import { scratchFolder } from './support/program';
import { until } from './support/wait';
import { WebParty } from './support/web_party';
import { WebServer } from './support/web_server';

const kTone = 600;
const kName = 'gateway.test';

/** A folder with the test page beside its scripts, as an operator would have it. */
function pagesOfTheGateway(): string {
  const folder = scratchFolder('pages');
  for (const file of ['pages/call.html', 'pages/words.js', '../../js/grtc/dist/grtc.js']) {
    copyFileSync(fileURLToPath(new URL(file, import.meta.url)), join(folder, file.split('/').at(-1)!));
  }
  return folder;
}

describe('a gateway with TLS, and pages in Chromium', () => {
  let gateway: Gateway;
  let url: string;
  let web: WebServer; // elsewhere: another site, another origin
  let stranger: WebServer; // not allowed
  let browser: TestBrowser;
  const parties: WebParty[] = [];

  beforeAll(async () => {
    const { certificate, key, publicKeyHash } = makeCertificate(`DNS:${kName}`);
    [web, stranger] = await Promise.all([WebServer.start(), WebServer.start()]);
    const origins = [`https://${kName}`, new URL(web.url('/')).origin];
    const http = { 'tls-certificate': certificate, 'tls-key': key, 'allowed-origins': origins, root: pagesOfTheGateway() };
    gateway = await Gateway.start({ http });
    url = `https://${kName}:${gateway.http.split(':')[1]}`;
    browser = await TestBrowser.start({ tone: kTone, secure: { names: [kName], publicKeyHash } });
  });
  afterEach(() => Promise.all(parties.splice(0).map((party) => party.stop())));
  afterAll(async () => {
    await Promise.all([browser?.stop(), web?.stop(), stranger?.stop()]);
    await gateway?.stop();
  });

  async function open(from: Pick<WebServer, 'url'>, options: { client?: ClientKind; configuration?: Record<string, unknown> } = {}): Promise<WebParty> {
    const party = await WebParty.open(browser, from, { url }, { dn: '1001', ...options });
    parties.push(party);
    return party;
  }

  async function talkToEcho(page: WebParty): Promise<void> {
    await page.evaluate('enable(true, false)');
    await page.waitFor('onMediaSuccess');
    await page.signIn();
    await page.call('echo');
    await waitForTone(page.page, kTone);
    await page.hangUp();
  }

  const sockets = (): Promise<number> => gateway.metric('http_sockets_opened_total');

  it('the page that it serves itself signs in, opens a WebSocket, calls and hears', async () => {
    const before = await sockets();
    const page = await open({ url: (path) => `${url}${path}` });
    expect(await page.evaluate('location.protocol + isSecureContext')).toBe('https:true');
    await talkToEcho(page);
    await until('it has opened one', async () => (await sockets()) > before);
  });

  it('the same page without WebSockets', async () => {
    const before = await sockets();
    const page = await open({ url: (path) => `${url}${path}` });
    await page.evaluate('void (window.WebSocket = undefined)');
    await talkToEcho(page);
    expect(await sockets()).toBe(before);
  });

  it('a page from elsewhere that is allowed calls and hears, with a WebSocket', async () => {
    const before = await sockets();
    await talkToEcho(await open(web));
    await until('it has opened one', async () => (await sockets()) > before);
  });

  it.each<ClientKind>(['field-old', 'field-new'])('a page from elsewhere with the client %s calls and hears', async (client) => {
    await talkToEcho(await open(web, { client }));
  });

  it('a page from elsewhere reads replies and the peer only with its credentials allowed', async () => {
    const page = await open(web);
    const read = (credentials: string): Promise<string> =>
      page.page.evaluate<string>(`(async () => {
        const ask = (path, body) => fetch('${url}' + path, { credentials: '${credentials}', method: body ? 'POST' : 'GET', body });
        const ssid = /^id=(.*)$/m.exec(await (await ask('/sign_in', 'anon${'0'.repeat(32)}:undefined')).text())[1];
        await ask('/message?from=' + ssid + '&to=1', 'nonsense');
        const reply = await ask('/wait?id=' + ssid + '&ack=0');
        await ask('/sign_out?id=' + ssid);
        return reply.headers.get('pragma') + ' ' + reply.headers.get('x-crosspoint-sequence');
      })()`);
    expect(await read('include')).toBe('gateway 1');
    expect(await read('omit')).toBe('gateway 1');
  });

  it('a page from an origin that is not allowed hears that it is not, and is not signed in', async () => {
    const page = await open(stranger);
    const before = await gateway.metric('sign_ins_total');
    await page.evaluate(`client.register('1001')`);
    expect((await page.waitFor('onFailed'))['message']).toMatch(/gateway\.test:\d+ answers, but not to this page: .*allowed-origins/);
    expect(await gateway.metric('sign_ins_total')).toBe(before);
    const socket = `new Promise((resolve) => {
      const socket = new WebSocket('${url.replace('https', 'wss')}/signalling?id=S00nobodyofthatnameatall');
      socket.onopen = () => resolve('open');
      socket.onclose = ({ code }) => resolve('closed ' + code);
    })`;
    expect(await page.page.evaluate(socket)).toBe('closed 1006');
  });

  it('a certificate that the browser does not know: the page hears that the gateway cannot be reached', async () => {
    const plain = await TestBrowser.start({ tone: kTone });
    const page = await WebParty.open(plain, web, { url: `https://${gateway.http}` });
    await page.evaluate(`client.register('1001')`);
    expect((await page.waitFor('onFailed'))['message']).toMatch(/cannot be reached/);
    await page.page.close();
    await plain.stop();
  });

  it('nobody is left signed in', async () => {
    await until('all are signed out', async () => (await gateway.metric('sessions')) === 0);
  });
});
