// Calls that move: REFER in both directions (RFC 3515, 3892), Replaces (RFC 3891), 3xx (RFC 3261 §8.1.3.4).
import { describe, expect } from 'vitest';
import { scenario } from './scenario';
import { callee, caller } from './script';
import { kAnswer, kOffer, phoneSdp } from './sdp';

const sipfrag = (status: string, state: string): { type: string; body: string; headers: string[] } => ({
  type: 'message/sipfrag',
  body: `SIP/2.0 ${status}`,
  headers: ['Event: refer', `Subscription-State: ${state}`],
});
const kEnded = 'terminated;reason=noresource';

describe('the far end transfers the page', () => {
  scenario('blind: the page is connected to the target, and the far end hears how it went', {}, async ({ page, bench }) => {
    const far = await bench.fars({
      '2001': callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .request('REFER', { headers: ['Refer-To: <sip:2002@127.0.0.1>', 'Referred-By: <sip:2001@127.0.0.1>'] })
        .expect(202)
        .receive('NOTIFY', { Event: 'refer', 'Subscription-State': 'active', body: 'SIP/2.0 100' })
        .reply(200)
        .receive('NOTIFY', { Event: 'refer', 'Subscription-State': 'active', body: 'SIP/2.0 180' })
        .reply(200)
        .receive('NOTIFY', { Event: 'refer', 'Subscription-State': 'terminated', body: 'SIP/2.0 200' })
        .reply(200)
        .receive('BYE')
        .reply(200),
      '2002': callee()
        .receive('INVITE', { 'Referred-By': '2001', body: 'm=audio' })
        .reply(180)
        .reply(200, { sdp: phoneSdp({ port: 6_300 }) })
        .receive('ACK')
        .receive('BYE')
        .reply(200),
    });
    await page.offer('2001');
    await page.answered('2001');
    await far['2001']?.done();
    await page.send('2001', 'BYE');
    await far['2002']?.done();
  });

  scenario('to a target that is busy: the far end hears 486, and the call goes on', {}, async ({ page, bench }) => {
    const far = await bench.fars({
      '2001': callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .request('REFER', { headers: ['Refer-To: <sip:2002@127.0.0.1>'] })
        .expect(202)
        .receive('NOTIFY', { body: 'SIP/2.0 100' })
        .reply(200)
        .receive('NOTIFY', { 'Subscription-State': 'terminated', body: 'SIP/2.0 486' })
        .reply(200)
        .receive('BYE')
        .reply(200),
      '2002': callee().receive('INVITE').reply(486).receive('ACK'),
    });
    await page.offer('2001');
    await page.answered('2001');
    await far['2002']?.done();
    await page.send('2001', 'BYE');
    await far['2001']?.done();
  });

  scenario('attended: the INVITE to the target carries the Replaces of the REFER', {}, async ({ page, bench }) => {
    const far = await bench.fars({
      '2001': callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .request('REFER', { headers: ['Refer-To: <sip:2002@127.0.0.1?Replaces=consult%40far%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>'] })
        .expect(202)
        .receive('NOTIFY')
        .reply(200)
        .receive('NOTIFY', { 'Subscription-State': 'terminated', body: 'SIP/2.0 200' })
        .reply(200)
        .receive('BYE')
        .reply(200),
      '2002': callee()
        .receive('INVITE', { Replaces: 'consult@far;.*to-tag=t1' })
        .reply(200, { sdp: phoneSdp({ port: 6_300 }) })
        .receive('ACK')
        .receive('BYE')
        .reply(200),
    });
    await page.offer('2001');
    await page.answered('2001');
    await far['2001']?.done();
    await page.send('2001', 'BYE');
    await far['2002']?.done();
  });

  scenario('REFER outside a call is refused', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').request('REFER', { headers: ['Refer-To: <sip:2002@127.0.0.1>'] }).expectAny([403, 405, 481]));
    await phone.done();
  });

  scenario('REFER to something that is no SIP address is refused, and the call goes on', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .request('REFER', { headers: ['Refer-To: <http://127.0.0.1/>'] })
        .expectAny([400, 416, 603])
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });
});

describe('the page transfers the far end', () => {
  scenario('blind: REFER, the page hears how it goes, and the call ends', { features: ['progress', 'transfer'] }, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .receive('REFER', { 'Refer-To': '2002', 'Referred-By': 'anon' })
        .reply(202)
        .request('NOTIFY', sipfrag('100 Trying', 'active;expires=60'))
        .expect(200)
        .request('NOTIFY', sipfrag('200 OK', kEnded))
        .expect(200)
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'TRANSFER {"to":"2002"}');
    await page.next(/^PROGRESS .*transferring/);
    await page.next(/^PROGRESS .*transferred/);
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('attended: the Refer-To names the other call', { features: ['progress', 'transfer'] }, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .receive('REFER', { 'Refer-To': '2002.*Replaces=other%40call%3Bto-tag%3Dt2%3Bfrom-tag%3Df2' })
        .reply(202)
        .request('NOTIFY', sipfrag('200 OK', kEnded))
        .expect(200)
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'TRANSFER {"to":"2002","replaces":"other@call;to-tag=t2;from-tag=f2"}');
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('a transfer that fails: the page hears why, and the call goes on', { features: ['progress', 'transfer'] }, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .receive('REFER')
        .reply(202)
        .request('NOTIFY', sipfrag('486 Busy Here', kEnded))
        .expect(200)
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'TRANSFER {"to":"2002"}');
    expect((await page.next(/^PROGRESS .*transfer-failed/)).body).toContain('"sipStatus":486');
    await page.send('2001', 'BYE');
    await phone.done();
  });
});

describe('Replaces', () => {
  scenario('an INVITE that replaces the page\'s call is answered at once; the old call ends, the page notices nothing', {}, async ({ page, bench }) => {
    const { first, second } = replacing();
    const far = await bench.fars({ '2001': first });
    await page.offer('2001');
    await page.answered('2001');
    const identity = await bench.dialog('2001');
    const mover = await bench.elsewhere(second(identity));
    await mover.done();
    await far['2001']?.done();
    expect(page.unread.filter(({ body }) => /^(SDP|BYE)/.test(body))).toEqual([]);
  });

  const replacing = (): { first: ReturnType<typeof callee>; second: (replaces: string) => ReturnType<typeof caller> } => ({
    first: callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200),
    second: (replaces) => caller('page').invite({ sdp: phoneSdp({ port: 6_400 }), headers: [`Replaces: ${replaces}`] }).expect(200).ack(),
  });

  scenario('one that names no call of ours: 481', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer, headers: ['Replaces: nobody@nowhere;to-tag=a;from-tag=b'] }).expect(481));
    await phone.done();
  });
});

describe('3xx', () => {
  scenario('an INVITE that is redirected goes to the new target', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(302, { headers: ['Contact: <sip:2005@127.0.0.1>'] })
        .receive('ACK')
        .receive('INVITE', { line: '^INVITE sip:2005@' })
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('a redirection without a target ends the call with its status', {}, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(302, { headers: ['Contact: <mailto:nobody@example.com>'] }).receive('ACK'));
    await page.offer('2001');
    expect((await page.error()).sipStatus).toBe(302);
    await phone.done();
  });
});
