// The guide's caller.html and callee.html, as printed but for script paths and the gateway's address.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser, waitForFrames, waitForTone } from './support/browser';
import { Gateway } from './support/gateway';
import { until } from './support/wait';
import { WebServer } from './support/web_server';

describe('the pages of the guide', () => {
  let gateway: Gateway;
  let web: WebServer;
  let caller: TestBrowser;
  let callee: TestBrowser;

  beforeAll(async () => {
    gateway = await Gateway.start();
    [web, caller, callee] = await Promise.all([
      WebServer.start({ '@GATEWAY@': gateway.url }),
      TestBrowser.start({ tone: 600 }),
      TestBrowser.start({ tone: 1_500 }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([caller?.stop(), callee?.stop(), web?.stop()]);
    await gateway?.stop();
  });

  it('the caller calls anonymously, the callee confirms, both hear and see, the caller ends it', async () => {
    const to = await callee.open(web.url('/guide/callee.html'));
    const asked: string[] = [];
    to.on('dialog', (dialog) => {
      asked.push(dialog.message());
      void dialog.accept();
    });
    await until('the callee is registered', async () => (await to.textContent('#localStatus')) === 'connected as 1020');
    const from = await caller.open(web.url('/guide/caller.html'));
    await Promise.all([waitForTone(from, 1_500), waitForTone(to, 600)]);
    await Promise.all([waitForFrames(from, 10), waitForFrames(to, 10)]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^Do you want to accept the call from \S+\?$/);
    expect(await from.textContent('#localStatus')).toBe('connected anonymously');
    expect(await to.textContent('#remoteStatus')).toMatch(/^call from /);
    await from.click('text=Terminate Call');
    await until('the callee shows no call', async () => (await to.textContent('#remoteStatus')) === '');
    expect(caller.errors.concat(callee.errors)).toEqual([]);
  });

  it('the callee declines: the caller is told', async () => {
    const to = await callee.open(web.url('/guide/callee.html'));
    to.on('dialog', (dialog) => void dialog.dismiss());
    await until('the callee is registered', async () => (await to.textContent('#localStatus')) === 'connected as 1020');
    const from = await caller.open(web.url('/guide/caller.html'));
    await until('the caller has no session any more', async () =>
      (await from.evaluate('!!window.probe.connections.length && grtcSession === null')));
    expect(caller.errors.concat(callee.errors)).toEqual([]);
  });
});
