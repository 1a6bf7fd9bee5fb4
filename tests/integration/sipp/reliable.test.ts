// Reliable provisional responses (RFC 3262), UPDATE (RFC 3311) and session timers (RFC 4028).
import { describe, expect } from 'vitest';
import { scenario } from './scenario';
import { answering, callee, caller, ringing, type Expected, type Script } from './script';
import { heldSdp, kAnswer, kHold, kOffer, phoneSdp } from './sdp';
import { held, kPageOffer } from './wire_page';

/** Early media, reliably; its answer stands. */
const kReliable = { sdp: kAnswer };
/** A caller that says this of 100rel, and hears it ring. */
const rung = (option: 'Require' | 'Supported', expected: Expected = {}): Script =>
  caller('1001').invite({ sdp: kOffer, headers: [`${option}: 100rel`] }).expect(180, expected);

describe('100rel', () => {
  scenario('a reliable 183 gets PRACK, and its answer stands when the 200 has none', {}, async ({ inCall }) => {
    const call = await inCall(callee().receive('INVITE', { Supported: '100rel' }).reliably(183, 17, kReliable).answer({}).take('BYE'));
    expect(call.answer.sdp).toMatch(/RTP\/SAVPF 0/);
    await call.hangUp();
  });

  scenario('each of several reliable responses gets a PRACK of its own, in order', {}, async ({ inCall }) => {
    const call = await inCall(callee().receive('INVITE').reliably(180, 5).reliably(183, 6, kReliable).answer({}).take('BYE'));
    await call.hangUp();
  });

  scenario('each of several early dialogs gets a PRACK of its own; the answer may come from either', {}, async ({ inCall }) => {
    const call = await inCall(
      callee()
        .receive('INVITE')
        .reliably(183, 5, { branch: 'a', sdp: kAnswer })
        .reliably(183, 900, { branch: 'b', sdp: phoneSdp({ port: 6_010 }) })
        .answer({ branch: 'a' })
        .take('BYE', { To: 'tag=a' }),
    );
    await call.hangUp();
  });

  scenario('a reliable 183 that is repeated gets no second PRACK', {}, async ({ inCall }) => {
    const repeated = { ...kReliable, to: 'INVITE', headers: ['Require: 100rel', 'RSeq: 17'] };
    const call = await inCall(callee().receive('INVITE').reliably(183, 17, kReliable).reply(183, repeated).pause(300).answer({}).take('BYE'));
    await call.hangUp();
  });

  scenario('a caller that requires 100rel gets a reliable 180, and its PRACK is answered', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(rung('Require', { Require: '100rel', RSeq: '[0-9]+' }).prack().expect(200).answered({ body: 'm=audio' }).hangUp());
    await call.hungUp();
  });

  scenario('a caller that only knows 100rel is spared it', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(rung('Supported', { Require: null, RSeq: null }).answered().hangUp());
    await call.hungUp();
  });

  scenario('a PRACK that acknowledges nothing: 481', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(
      rung('Require')
        .request('PRACK', { headers: ['RAck: 4711 1 INVITE'] })
        .expect(481)
        .prack()
        .expect(200)
        .answered()
        .hangUp(),
    );
    await call.hungUp();
  });
});

describe('UPDATE', () => {
  scenario('in a call, with an offer: answered at once from what the page said last', {}, async ({ inCall }) => {
    const call = await inCall(
      callee()
        .receive('INVITE', { Allow: 'UPDATE' })
        .answer()
        .ask('UPDATE', { sdp: phoneSdp({ version: 2, direction: 'sendonly' }) }, { body: 'a=recvonly' })
        .ask('UPDATE', { sdp: phoneSdp({ version: 3 }) }, { body: 'a=sendrecv' })
        .hangUp(),
    );
    await call.hungUp();
  });

  scenario('in a call, without an offer: 200 without an answer', {}, async ({ inCall }) => {
    const call = await inCall(answering().ask('UPDATE', {}, { 'Content-Type': null }).hangUp());
    await call.hungUp();
  });

  scenario('in a call, of a caller', { dn: '1001' }, async ({ answers }) => {
    const holds = phoneSdp({ version: 2, direction: 'sendonly' });
    const call = await answers(ringing('1001').answered().ask('UPDATE', { sdp: holds }, { body: 'a=recvonly' }).hangUp());
    await call.hungUp();
  });

  scenario('while it rings, with an offer: answered in the early dialog', {}, async ({ inCall }) => {
    const call = await inCall(
      callee()
        .receive('INVITE')
        .reliably(183, 1, kReliable)
        .ask('UPDATE', { sdp: phoneSdp({ version: 2, port: 6_200 }) }, { body: 'm=audio' })
        .answer({})
        .take('BYE'),
    );
    await call.hangUp();
  });

  scenario('of a caller whose own offer is not answered yet: 500, to be tried again', { dn: '1001' }, async ({ called, page }) => {
    const call = await called(
      rung('Require')
        .prack()
        .expect(200)
        .request('UPDATE', { sdp: phoneSdp({ version: 2 }) })
        .expect(500, { 'Retry-After': '[0-9]+' })
        .request('NOTIFY', { headers: ['Event: talk'] })
        .expect(200)
        .answered()
        .hangUp(),
    );
    await page.next(/^EVENT-TALK/);
    await page.answerTo(call.offer, call.peer);
    await call.hungUp();
  });

  scenario('while our re-INVITE is open: 491', {}, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .receive('INVITE', kHold)
        .request('UPDATE', { sdp: phoneSdp({ version: 2 }) })
        .expect(491)
        .answer({ sdp: heldSdp(3) })
        .take('BYE'),
    );
    await call.renew(held(kPageOffer));
    await call.hangUp();
  });
});

// That they are refreshed, and end the call when nobody does: in virtual time, as that takes 45 s and more (RFC 4028 §5, §10).
describe('session timers', () => {
  const wants = (seconds: number, ...more: string[]): { headers: string[] } => ({ headers: [`Session-Expires: ${seconds}`, ...more] });

  scenario('our INVITE asks for one; 422 is answered with a longer one', {}, async ({ inCall }) => {
    const call = await inCall(
      callee()
        .receive('INVITE', { Supported: 'timer', 'Session-Expires': '1800' })
        .refuse(422, { headers: ['Min-SE: 3600'] })
        .receive('INVITE', { 'Session-Expires': '3600', 'Min-SE': '3600' })
        .answer({ sdp: kAnswer, headers: ['Require: timer', 'Session-Expires: 3600;refresher=uas'] })
        .take('BYE'),
    );
    await call.hangUp();
  });

  scenario('what is configured is asked for, and nothing where that is 0', { configuration: { sip: { 'session-expires': 0 } } }, async ({ inCall }) => {
    const call = await inCall(answering({ 'Session-Expires': null }).take('BYE'));
    await call.hangUp();
  });

  scenario('an INVITE that asks for too short a session: 422 says how long it must be', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer, ...wants(30, 'Supported: timer') }).expect(422, { 'Min-SE': '90' }));
    await phone.done();
  });

  const kRefresher = { headers: ['Supported: timer', 'Session-Expires: 600;refresher=uac'] };
  const kTold = { 'Session-Expires': '600;refresher=uac', Require: 'timer' };
  for (const [how, refresh] of [['UPDATE', (script: Script) => script.ask('UPDATE', kRefresher, kTold)],
    ['re-INVITE', (script: Script) => script.reinvite({ sdp: kOffer, ...kRefresher }, kTold)]] as const) {
    scenario(`a caller that supports them is told who refreshes, and does so by ${how}`, { dn: '1001' }, async ({ answers, page, bench }) => {
      const call = await answers(refresh(ringing('1001', { sdp: kOffer, ...kRefresher }).answered(kTold)).take('BYE'));
      await page.next(/^SDP .*"OK"/s);
      await bench.gets(/^SIP\/2.0 200 [^]*^CSeq: 2 /m);
      await call.nothingIsLeft();
      await call.hangUp();
    });
  }

  scenario('a caller that does not know them: it is us who refresh', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(ringing('1001').answered({ 'Session-Expires': '1800;refresher=uas', Require: null }).hangUp());
    await call.hungUp();
  });

  scenario('a re-INVITE that asks for too short a session: 422, and the call goes on', {}, async ({ inCall }) => {
    const call = await inCall(answering().invite({ sdp: phoneSdp({ version: 2 }), ...wants(30, 'Supported: timer') }).expect(422).hangUp());
    await call.hungUp();
  });
});
