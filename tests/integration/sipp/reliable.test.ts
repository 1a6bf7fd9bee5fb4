// Reliable provisional responses (RFC 3262), UPDATE (RFC 3311) and session timers (RFC 4028).
import { describe, expect } from 'vitest';
import { scenario } from './scenario';
import { callee, caller, type Script } from './script';
import { kAnswer, kOffer, phoneSdp } from './sdp';
import { held, kPageOffer } from './wire_page';

const ended = (script: Script): Script => script.receive('BYE').reply(200);

describe('100rel', () => {
  scenario('a reliable 183 gets PRACK, and its answer stands when the 200 has none', {}, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE', { Supported: '100rel' })
          .reply(183, { sdp: kAnswer, headers: ['Require: 100rel', 'RSeq: 17'] })
          .receive('PRACK', { RAck: '17 1 INVITE' })
          .reply(200)
          .reply(200, { to: 'INVITE' })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('each of several reliable responses gets a PRACK of its own, in order', {}, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE')
          .reply(180, { headers: ['Require: 100rel', 'RSeq: 5'] })
          .receive('PRACK', { RAck: '5 1 INVITE' })
          .reply(200)
          .reply(183, { to: 'INVITE', sdp: kAnswer, headers: ['Require: 100rel', 'RSeq: 6'] })
          .receive('PRACK', { RAck: '6 1 INVITE' })
          .reply(200)
          .reply(200, { to: 'INVITE' })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('a PRACK that is challenged is sent again with credentials', { dn: '1001', credentials: true }, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE')
          .reply(183, { sdp: kAnswer, headers: ['Require: 100rel', 'RSeq: 1'] })
          .receive('PRACK')
          .reply(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=MD5, qop="auth"'] })
          .receive('PRACK', { RAck: '1 1 INVITE', Authorization: 'response=' })
          .reply(200)
          .reply(200, { to: 'INVITE' })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('a caller that requires 100rel gets a reliable 180, and its PRACK is answered', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(
      caller('1001')
        .invite({ sdp: kOffer, headers: ['Require: 100rel'] })
        .expect(180, { Require: '100rel', RSeq: '[0-9]+' })
        .prack()
        .expect(200)
        .inviteAnswered({ body: 'm=audio' })
        .ack()
        .request('BYE')
        .expect(200),
    );
    await page.answer();
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('a PRACK that acknowledges nothing: 481', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(
      caller('1001')
        .invite({ sdp: kOffer, headers: ['Require: 100rel'] })
        .expect(180)
        .request('PRACK', { headers: ['RAck: 4711 1 INVITE'] })
        .expect(481)
        .prack()
        .expect(200)
        .inviteAnswered()
        .ack(),
    );
    await page.answer();
    await phone.done();
  });
});

describe('UPDATE', () => {
  scenario('in a call, with an offer: answered at once from what the page said last', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE', { Allow: 'UPDATE' })
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .request('UPDATE', { sdp: phoneSdp({ version: 2, direction: 'sendonly' }) })
        .expect(200, { body: 'a=recvonly' })
        .request('UPDATE', { sdp: phoneSdp({ version: 3 }) })
        .expect(200, { body: 'a=sendrecv' })
        .request('BYE')
        .expect(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.next(/^BYE/);
    await phone.done();
    expect(page.unread.filter(({ body }) => body.startsWith('SDP'))).toEqual([]);
  });

  scenario('in a call, without an offer: 200', {}, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').request('UPDATE').expect(200).request('BYE').expect(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('while it rings, with an offer: answered in the early dialog', {}, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE')
          .reply(183, { sdp: kAnswer, headers: ['Require: 100rel', 'RSeq: 1'] })
          .receive('PRACK')
          .reply(200)
          .request('UPDATE', { sdp: phoneSdp({ version: 2, port: 6_200 }) })
          .expect(200, { body: 'm=audio' })
          .reply(200, { to: 'INVITE' })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('while our re-INVITE is open: 491', {}, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE')
          .reply(200, { sdp: kAnswer })
          .receive('ACK')
          .receive('INVITE')
          .request('UPDATE', { sdp: phoneSdp({ version: 2 }) })
          .expect(491)
          .reply(200, { to: 'INVITE', sdp: phoneSdp({ version: 3, direction: 'inactive' }) })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.offer('2001', held(kPageOffer));
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });
});

describe('session timers', () => {
  scenario('our INVITE asks for one; 422 is answered with a longer one', {}, async ({ page, far }) => {
    const phone = await far(
      ended(
        callee()
          .receive('INVITE', { Supported: 'timer', 'Session-Expires': '1800' })
          .reply(422, { headers: ['Min-SE: 3600'] })
          .receive('ACK')
          .receive('INVITE', { 'Session-Expires': '3600', 'Min-SE': '3600' })
          .reply(200, { sdp: kAnswer, headers: ['Require: timer', 'Session-Expires: 3600;refresher=uas'] })
          .receive('ACK'),
      ),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('an INVITE that asks for too short a session: 422 says how long it must be', { dn: '1001' }, async ({ far }) => {
    const phone = await far(
      caller('1001').invite({ sdp: kOffer, headers: ['Supported: timer', 'Session-Expires: 30'] }).expect(422, { 'Min-SE': '90' }),
    );
    await phone.done();
  });

  scenario('a caller that supports them is told who refreshes', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(
      caller('1001')
        .invite({ sdp: kOffer, headers: ['Supported: timer', 'Session-Expires: 600;refresher=uac'] })
        .expect(180)
        .expect(200, { 'Session-Expires': '600;refresher=uac', Require: 'timer' })
        .ack()
        .request('UPDATE', { headers: ['Supported: timer', 'Session-Expires: 600;refresher=uac'] })
        .expect(200, { 'Session-Expires': '600' })
        .request('BYE')
        .expect(200),
    );
    await page.answer();
    await page.next(/^BYE/);
    await phone.done();
  });
});
