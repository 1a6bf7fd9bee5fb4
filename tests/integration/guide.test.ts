// The guide's caller.html and callee.html, as printed but for script paths and the gateway's address.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestBrowser, waitForFrames, waitForTone, type BrowserKind } from './support/browser';
import { Gateway } from './support/gateway';
import { until } from './support/wait';
import { WebServer } from './support/web_server';

describe.each<[BrowserKind, BrowserKind]>([
  ['chromium', 'chromium'],
  ['firefox', 'chromium'],
  ['chromium', 'firefox'],
])('the pages of the guide, caller in %s, callee in %s', (callerKind, calleeKind) => {
  let gateway: Gateway;
  let web: WebServer;
  let caller: TestBrowser;
  let callee: TestBrowser;

  beforeAll(async () => {
    gateway = await Gateway.start();
    [web, caller, callee] = await Promise.all([
      WebServer.start({ '@GATEWAY@': gateway.url }),
      TestBrowser.start({ tone: 600, kind: callerKind }),
      TestBrowser.start({ tone: 1_500, kind: calleeKind }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([caller?.stop(), callee?.stop(), web?.stop()]);
    await gateway?.stop();
  });

  it('the caller calls anonymously, the callee confirms, both hear and see, the caller ends it', async () => {
    const to = await callee.open(web.url('/guide/callee.html'));
    const asked: string[] = [];
    to.onDialog((message) => {
      asked.push(message);
      return true;
    });
    await until('the callee is registered', async () => (await to.textOf('#localStatus')) === 'connected as 1020');
    const from = await caller.open(web.url('/guide/caller.html'));
    await Promise.all([waitForTone(from, 1_500), waitForTone(to, 600)]);
    await Promise.all([waitForFrames(from, 10), waitForFrames(to, 10)]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^Do you want to accept the call from \S+\?$/);
    expect(await from.textOf('#localStatus')).toBe('connected anonymously');
    expect(await to.textOf('#remoteStatus')).toMatch(/^call from /);
    await from.click('[value="Terminate Call"]');
    await until('the callee shows no call', async () => (await to.textOf('#remoteStatus')) === '');
    expect(caller.errors.concat(callee.errors)).toEqual([]);
  });

  it('the callee declines: the caller is told', async () => {
    const to = await callee.open(web.url('/guide/callee.html'));
    to.onDialog(() => false);
    await until('the callee is registered', async () => (await to.textOf('#localStatus')) === 'connected as 1020');
    const from = await caller.open(web.url('/guide/caller.html'));
    await until('the caller has no session any more', async () =>
      (await from.evaluate('!!window.probe.connections.length && grtcSession === null')));
    expect(caller.errors.concat(callee.errors)).toEqual([]);
  });
});
