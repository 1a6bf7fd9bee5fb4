// Calls that move: REFER in both directions (RFC 3515, 3892), Replaces (RFC 3891), 3xx (RFC 3261 §8.1.3.4).
import { describe, expect } from 'vitest';
import { kTarget, scenario } from './scenario';
import { answering, callee, caller, ringing, type Expected, type Request, type Script } from './script';
import { kOffer, phoneSdp } from './sdp';
import { held, kPageOffer } from './wire_page';

const refer = (to: string, ...headers: string[]): Request => ({ headers: [`Refer-To: <${to}>`, ...headers] });
const kReferTarget = refer(`sip:${kTarget}@127.0.0.1`);
/** A NOTIFY that tells how the transfer goes, from us … */
const told = (status: number, state: string): Expected => ({ Event: 'refer', 'Subscription-State': state, body: `SIP/2.0 ${status}` });
/** … and from the far end. */
const tells = (status: string, state = 'terminated;reason=noresource'): Request => ({
  type: 'message/sipfrag',
  body: `SIP/2.0 ${status}`,
  headers: ['Event: refer', `Subscription-State: ${state}`],
});
/** The target of a transfer, which answers. */
const kElsewhere = { sdp: phoneSdp({ port: 6_300 }) };
const target = (expected: Expected = {}): Script => callee().receive('INVITE', { body: 'm=audio', ...expected }).answer(kElsewhere).take('BYE');

describe('the far end transfers the page', () => {
  scenario('blind: the page is connected to the target, and the far end hears how it went', {}, async ({ inCallBeside }) => {
    const { call, target } = await inCallBeside(
      answering()
        .request('REFER', refer(`sip:${kTarget}@127.0.0.1`, 'Referred-By: <sip:2001@127.0.0.1>'))
        .expect(202)
        .take('NOTIFY', told(100, 'active'))
        .take('NOTIFY', told(180, 'active'))
        .take('NOTIFY', told(200, 'terminated'))
        .take('BYE'),
      callee()
        .receive('INVITE', { 'Referred-By': '2001', body: 'm=audio' })
        .reply(180)
        .answer(kElsewhere)
        .take('BYE'),
    );
    await call.phone.done();
    await call.nothingIsLeft();
    await call.hangUp(target);
  });

  scenario('to a target that is busy: the far end hears 486, and the call goes on', {}, async ({ inCallBeside }) => {
    const { call, target } = await inCallBeside(
      answering().request('REFER', kReferTarget).expect(202).take('NOTIFY', told(100, 'active')).take('NOTIFY', told(486, 'terminated')).take('BYE'),
      callee().receive('INVITE').refuse(486),
    );
    await target.done();
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('attended: the INVITE to the target carries the Replaces of the REFER', {}, async ({ inCallBeside }) => {
    const { call, target: consulted } = await inCallBeside(
      answering()
        .request('REFER', refer(`sip:${kTarget}@127.0.0.1?Replaces=consult%40far%3Bto-tag%3Dt1%3Bfrom-tag%3Df1`))
        .expect(202)
        .take('NOTIFY', told(100, 'active'))
        .take('NOTIFY', told(200, 'terminated'))
        .take('BYE'),
      target({ Replaces: 'consult@far;.*to-tag=t1', line: 'from-tag=f1' }),
    );
    await call.phone.done();
    await call.hangUp(consulted);
  });

  scenario('a far end that hangs up at once leaves the page to the target', {}, async ({ inCallBeside, bench }) => {
    const { call, target: next } = await inCallBeside(
      answering()
        .request('REFER', { headers: [...(kReferTarget.headers ?? []), 'Refer-Sub: false'] })
        .expect(202)
        .hangUp(),
      target(),
    );
    await call.phone.done();
    await bench.gets(new RegExp(`^ACK sip[^]*^To: <sip:${kTarget}@`, 'm'));
    await call.nothingIsLeft();
    await call.hangUp(next);
  });

  scenario('a second REFER while one is under way: 491', {}, async ({ inCallBeside }) => {
    const { call, target: next } = await inCallBeside(
      answering()
        .request('REFER', kReferTarget)
        .expect(202)
        .take('NOTIFY', told(100, 'active'))
        .take('NOTIFY', told(180, 'active'))
        .request('REFER', kReferTarget)
        .expect(491)
        .take('NOTIFY', told(200, 'terminated'))
        .take('BYE'),
      callee().receive('INVITE').reply(180).pause(3_000).answer(kElsewhere).take('BYE'),
    );
    await call.phone.done();
    await call.hangUp(next);
  });

  scenario('REFER outside a call: 403', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').request('REFER', kReferTarget).expect(403));
    await phone.done();
  });

  scenario('REFER to something that is no SIP address: 416, and the call goes on', {}, async ({ inCall }) => {
    const call = await inCall(answering().request('REFER', refer('http://127.0.0.1/')).expect(416).hangUp());
    await call.hungUp();
  });
});

describe('the page transfers the far end', () => {
  const kTransfers = { features: ['progress', 'transfer'] };
  const kBlind = `TRANSFER {"to":"${kTarget}"}`;

  scenario('blind: REFER, the page hears how it goes, and the call ends', kTransfers, async ({ inCall, page }) => {
    const call = await inCall(
      answering()
        .receive('REFER', { 'Refer-To': kTarget, 'Referred-By': 'anon' })
        .reply(202)
        .ask('NOTIFY', tells('100 Trying', 'active;expires=60'))
        .ask('NOTIFY', tells('200 OK'))
        .take('BYE'),
    );
    await call.send(kBlind);
    await page.next(/^PROGRESS .*transferring/);
    await page.next(/^PROGRESS .*transferred/);
    await call.hungUp();
  });

  scenario('attended: the Refer-To names the other call', kTransfers, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .receive('REFER', { 'Refer-To': `${kTarget}.*Replaces=other%40call%3Bto-tag%3Dt2%3Bfrom-tag%3Df2` })
        .reply(202)
        .ask('NOTIFY', tells('200 OK'))
        .take('BYE'),
    );
    await call.send(`TRANSFER {"to":"${kTarget}","replaces":"other@call;to-tag=t2;from-tag=f2"}`);
    await call.hungUp();
  });

  scenario('a page that was called transfers its caller', { dn: '1001', ...kTransfers }, async ({ answers, page }) => {
    const call = await answers(
      ringing('1001').answered().receive('REFER', { 'Refer-To': kTarget, 'Referred-By': '1001' }).reply(202).ask('NOTIFY', tells('200 OK')).take('BYE'),
    );
    await page.next(/^SDP .*"OK"/s);
    await call.send(kBlind);
    await page.next(/^PROGRESS .*transferred/);
    await call.hungUp();
  });

  scenario('a transfer that fails: the page hears why, and the call goes on', kTransfers, async ({ inCall, page }) => {
    const call = await inCall(answering().receive('REFER').reply(202).ask('NOTIFY', tells('486 Busy Here')).take('BYE'));
    await call.send(kBlind);
    expect((await page.next(/^PROGRESS .*transfer-failed/)).body).toContain('"sipStatus":486');
    await call.hangUp();
  });

  scenario('a REFER that is refused: the page hears why, and the call goes on', kTransfers, async ({ inCall, page }) => {
    const call = await inCall(answering().receive('REFER').reply(403).take('BYE'));
    await call.send(kBlind);
    expect((await page.next(/^PROGRESS .*transfer-failed/)).body).toContain('"sipStatus":403');
    await call.hangUp();
  });
});

describe('Replaces', () => {
  /** A far end that takes the place of the one in that call. */
  const taking = (call: string): Script => caller('page').invite({ sdp: phoneSdp({ port: 6_400 }), headers: [`Replaces: ${call}`] });
  const kIdle = callee().receive('INVITE').refuse(486);

  scenario('an INVITE that replaces the page\'s call is answered at once; the old call ends, the page notices nothing', {}, async (cast) => {
    const { inCallBeside, bench } = cast;
    const { call } = await inCallBeside(answering().take('BYE'), kIdle);
    const mover = await bench.elsewhere(taking(await bench.dialog(call.peer)).answered({ body: 'm=audio' }).take('BYE'));
    await call.phone.done();
    await call.nothingIsLeft();
    await call.hangUp(mover);
  });

  scenario('one for a call that is ending: 603', {}, async ({ inCallBeside, bench }) => {
    const { call } = await inCallBeside(answering().receive('BYE'), kIdle);
    const dialog = await bench.dialog(call.peer);
    await call.hangUp();
    const late = await bench.elsewhere(taking(dialog).expect(603));
    await late.done();
  });

  scenario('one that would have an early call only, and it is answered: 486', {}, async ({ inCallBeside, bench }) => {
    const { call } = await inCallBeside(answering().take('BYE'), kIdle);
    const late = await bench.elsewhere(taking(`${await bench.dialog(call.peer)};early-only`).expect(486));
    await late.done();
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('one that names no call of ours: 481', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer, headers: ['Replaces: nobody@nowhere;to-tag=a;from-tag=b'] }).expect(481));
    await phone.done();
  });
});

describe('3xx', () => {
  const to = (...contacts: string[]): Request => ({ headers: [`Contact: ${contacts.join(', ')}`] });

  scenario('an INVITE that is redirected goes to the new target', {}, async ({ inCall }) => {
    const call = await inCall(
      callee().receive('INVITE').refuse(302, to('<sip:2005@127.0.0.1>')).receive('INVITE', { line: '^INVITE sip:2005@' }).answer().take('BYE'),
    );
    await call.hangUp();
  });

  scenario('of several targets the best is tried first, and the next one if that is busy', {}, async ({ inCall }) => {
    const call = await inCall(
      callee()
        .receive('INVITE')
        .refuse(300, to('<sip:2005@127.0.0.1>;q=0.3', '<sip:2006@127.0.0.1>;q=0.9'))
        .receive('INVITE', { line: '^INVITE sip:2006@' })
        .refuse(486)
        .receive('INVITE', { line: '^INVITE sip:2005@' })
        .answer()
        .take('BYE'),
    );
    await call.hangUp();
  });

  scenario('a redirection without a target ends the call with its status', {}, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').refuse(302, to('<mailto:nobody@example.com>')));
    expect((await call.failed()).sipStatus).toBe(302);
  });

  scenario('a redirection that may not be followed ends the call', { configuration: { sip: { 'follow-redirects': false } } }, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').refuse(302, to('<sip:2005@127.0.0.1>')));
    expect((await call.failed()).sipStatus).toBe(302);
  });

  scenario('a redirection inside a call is the failure of that request: the call goes on', {}, async ({ inCall }) => {
    const call = await inCall(answering().receive('INVITE').refuse(302, to('<sip:2005@127.0.0.1>')).take('BYE'));
    expect((await call.renew(held(kPageOffer))).sdp).toContain('a=inactive');
    await call.hangUp();
  });
});
