// The way to the SIP server: TCP, TLS, an outbound proxy, names with several servers behind them (RFC 3263), OPTIONS that ask whether it is
// there, and a server that comes back. With Kamailio: ../sip_network.test.ts.
import { afterEach, describe, expect } from 'vitest';
import type { Configuration } from '../support/gateway';
import { NameServer } from '../support/name_server';
import { freePorts } from '../support/ports';
import { until } from '../support/wait';
import { onBench, scenario } from './scenario';
import { answering, callee, caller, ringing, type Script } from './script';
import { heldSdp, kHold } from './sdp';
import { registrar, type Bench } from './sipp';
import { held, kPageOffer } from './wire_page';

describe('transports', () => {
  scenario('a call over TCP, and the far end hangs up', { transport: 'tcp' }, async ({ inCall }) => {
    const call = await inCall(answering({ Via: 'SIP/2.0/TCP', Contact: 'transport=tcp' }).hangUp());
    await call.hungUp();
  });

  scenario('a call over TCP to a page', { transport: 'tcp', dn: '1001' }, async ({ answers }) => {
    const call = await answers(ringing('1001').answered().hangUp());
    await call.hungUp();
  });

  scenario('a call over TLS: re-INVITE and hanging up go the same way', { transport: 'tls', dn: '1001' }, async ({ inCall }) => {
    const call = await inCall(answering({ Via: 'SIP/2.0/TLS', Contact: 'transport=tls' }).receive('INVITE', kHold).answer({ sdp: heldSdp(2) }).take('BYE'));
    await call.renew(held(kPageOffer));
    await call.hangUp();
  });

  scenario('a call over TLS that the far end ends', { transport: 'tls' }, async ({ inCall }) => {
    const call = await inCall(answering().hangUp());
    await call.hungUp();
  });
});

describe('an outbound proxy', () => {
  const kBehind = { way: (port: number) => ({ server: 'sip:pbx.crosspoint.test', 'outbound-proxy': `sip:127.0.0.1:${port}` }) };
  const kRoute = { Route: '<sip:127.0.0.1:[0-9]+;.*lr' };

  scenario('gets the calls for the server, with a Route; what follows in the call goes to the far end itself', kBehind, async ({ inCall }) => {
    const call = await inCall(
      answering({ line: '^INVITE sip:2001@pbx.crosspoint.test SIP', To: '2001@pbx.crosspoint.test', ...kRoute }).take('BYE', { line: '^BYE sip:far@127' }),
    );
    await call.hangUp();
  });

  onBench('gets the REGISTER for the server', kBehind, async (bench) => {
    const proxy = await bench.far(callee().take('REGISTER', { line: '^REGISTER sip:pbx.crosspoint.test', ...kRoute }));
    await bench.signIn({ dn: '1001' });
    await proxy.done();
  });
});

describe('a SIP server that is a name', () => {
  let names: NameServer | undefined;
  let second = 0; // port of the server whose turn comes second
  afterEach(() => names?.stop());

  const kBehindName = {
    way: async (port: number): Promise<Configuration[string]> => {
      names = await NameServer.start();
      second = await freePorts(1);
      names.setAddress('sip1.crosspoint.test', '127.0.0.1');
      names.setServices('_sip._udp.crosspoint.test', [
        { priority: 20, port: second, host: 'sip1.crosspoint.test' },
        { priority: 10, port, host: 'sip1.crosspoint.test' },
      ]);
      return { server: 'sip:crosspoint.test', 'dns-servers': [names.address] };
    },
  };

  scenario('the server with the lower priority number gets the call', kBehindName, async ({ inCall }) => {
    const call = await inCall(answering({ line: '^INVITE sip:2001@crosspoint.test' }).take('BYE'));
    await call.hangUp();
  });

  scenario('a server that says 503 gives way to the next', kBehindName, async ({ bench, dial }) => {
    const next = await bench.elsewhere(answering().take('BYE'), second);
    const call = await dial(callee().receive('INVITE').refuse(503));
    await call.phone.done();
    await call.answered();
    await call.hangUp(next);
  });

  onBench('a server that is not there gives way to the next', kBehindName, async (bench) => {
    const next = await bench.elsewhere(registrar(), second);
    await bench.signIn({ dn: '1001' });
    await next.done();
    expect(await bench.gateway.metric('sip_failovers_total')).toBeGreaterThan(0);
  });

  scenario('any other refusal is an answer, and no other server is asked', kBehindName, async ({ bench, dial }) => {
    await bench.elsewhere(answering(), second);
    const call = await dial(callee().receive('INVITE').refuse(480));
    expect((await call.failed()).sipStatus).toBe(480);
    expect(bench.received(/^INVITE /m)).toHaveLength(1);
  });
});

describe('OPTIONS', () => {
  const kOften = { configuration: { sip: { 'options-interval': 1 } } };
  const unreachable = (bench: Bench, yes: boolean): Promise<unknown> =>
    until('the gateway has noticed', async () => (await bench.gateway.metric('sip_server_unreachable')) === Number(yes));

  onBench('ask the server again and again whether it is there', kOften, async (bench) => {
    const server = callee().take('OPTIONS', { Accept: 'application/sdp' });
    for (let more = 0; more < 60; ++more) server.take('OPTIONS'); // it stays
    await bench.far(server);
    const asked = (): number[] => bench.received(/^OPTIONS /m).map(({ at }) => at);
    const [first, second] = await until('it has asked twice', () => (asked().length >= 2 ? asked() : undefined));
    expect(second! - first!).toBeGreaterThan(900);
    await unreachable(bench, false);
  });

  /** A server that says this to OPTIONS, as long as it is there. */
  const saying = (status: number): Script => Array.from({ length: 60 }).reduce((script: Script) => script.receive('OPTIONS').reply(status), callee());

  onBench('503 means that it is away: sign-ins are refused at once, until it says something else', kOften, async (bench) => {
    await bench.fars({ OPTIONS: saying(503) });
    await unreachable(bench, true);
    await expect(bench.signIn({ dn: '1001' })).rejects.toThrow('503 The SIP server cannot be reached at present');
    const server = await bench.fars({ OPTIONS: saying(404), REGISTER: registrar() });
    await unreachable(bench, false);
    await bench.signIn({ dn: '1001' });
    await server['REGISTER']?.done();
  });

  onBench('a server that restarts and has forgotten all: the registration recovers, and the next call arrives', kOften, async (bench) => {
    await bench.fars({ OPTIONS: saying(200), REGISTER: registrar() });
    await unreachable(bench, false); // a question may have come before it was there
    const page = await until('the page is signed in', () => bench.signIn({ dn: '1001' }));
    bench.takeAway();
    await unreachable(bench, true);
    const again = await bench.fars({ OPTIONS: saying(200), REGISTER: callee().take('REGISTER', { Contact: '1001' }) });
    await again['REGISTER']?.done();
    const phone = await bench.elsewhere(ringing('1001').answered().hangUp());
    await page.answer();
    await page.next(/^BYE/);
    await phone.done();
  });

  onBench('of the server, outside a call, are answered with what we can do', {}, async (bench) => {
    const able = { Allow: 'INVITE.*UPDATE.*REFER', Accept: 'application/sdp', Supported: '100rel.*timer.*replaces' };
    const server = await bench.far(caller('1001').ask('OPTIONS', {}, able));
    await server.done();
  });
});
