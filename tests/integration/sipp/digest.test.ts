// Digest on every request (RFC 3261 §22, RFC 7616, RFC 8760). REGISTER: registration.test.ts. UPDATE: only in virtual time, as we send it
// to refresh a session, which cannot be made to happen before 45 s (RFC 4028 §5).
import { describe, expect } from 'vitest';
import { rightCredentials } from './digest';
import { kTarget, scenario } from './scenario';
import { answering, callee, ringing } from './script';
import { heldSdp, kAnswer } from './sdp';
import { held, kPageOffer } from './wire_page';

const kSignedIn = { dn: '1001', credentials: true };
describe('digest', () => {
  for (const status of [401, 407] as const) {
    scenario(`${status} on INVITE, re-INVITE, INFO and BYE: each is sent again with credentials`, kSignedIn, async ({ inCall, bench }) => {
      const call = await inCall(
        callee()
          .challenge('INVITE', 'n1', status)
          .answer()
          .challenge('INVITE', 'n2', status)
          .answer({ sdp: heldSdp(2) })
          .challenge('INFO', 'n3', status)
          .reply(200)
          .challenge('BYE', 'n4', status)
          .reply(200),
      );
      await call.renew(held(kPageOffer));
      await call.send('INFO-MAP a=1');
      await bench.gets(/^INFO [^]*nonce="n3"/m); // the BYE would not wait for it
      await call.hangUp();
      expect(rightCredentials(bench)).toBeGreaterThanOrEqual(4);
    });
  }

  scenario('401 on re-INVITE and BYE of a page that was called', kSignedIn, async ({ answers, page, bench }) => {
    const call = await answers(ringing('1001').answered().challenge('INVITE', 'n1').answer({ sdp: heldSdp(2) }).challenge('BYE', 'n2').reply(200));
    await page.next(/^SDP .*"OK"/s);
    await call.renew(held(kPageOffer));
    await call.hangUp();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(2);
  });

  scenario('401 on PRACK', kSignedIn, async ({ inCall, bench }) => {
    const reliable = { sdp: kAnswer, headers: ['Require: 100rel', 'RSeq: 1'] };
    const call = await inCall(callee().receive('INVITE').reply(183, reliable).challenge('PRACK', 'n1').reply(200).answer({}).take('BYE'));
    await call.hangUp();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(1);
    expect(bench.received(/^PRACK [^]*^RAck: 1 1 INVITE/im)).toHaveLength(2);
  });

  scenario('401 on REFER', { ...kSignedIn, features: ['transfer'] }, async ({ inCall, bench }) => {
    const call = await inCall(answering().challenge('REFER', 'n1').reply(202).take('BYE'));
    await call.send(`TRANSFER {"to":"${kTarget}"}`);
    await bench.sees(/^SIP\/2.0 202/m);
    await call.hangUp();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(1);
  });

  scenario('407 with SHA-256 beside MD5: the first that is offered is used', kSignedIn, async ({ inCall, bench }) => {
    const offered = ['SHA-256', 'MD5'].map((algorithm) => `Proxy-Authenticate: Digest realm="far", nonce="n1", algorithm=${algorithm}, qop="auth"`);
    const call = await inCall(
      callee().receive('INVITE').refuse(407, { headers: offered }).receive('INVITE', { 'Proxy-Authorization': 'algorithm=SHA-256' }).answer().take('BYE'),
    );
    await call.hangUp();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(1);
  });

  scenario('server and proxy may both ask: the INVITE carries both credentials', kSignedIn, async ({ inCall, bench }) => {
    const call = await inCall(
      callee()
        .challenge('INVITE', 'n1', 407)
        .refuse(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n2", algorithm=SHA-256, qop="auth"'] })
        .receive('INVITE', { 'Proxy-Authorization': 'nonce="n1"', Authorization: 'nonce="n2"' })
        .answer()
        .take('BYE'),
    );
    await call.hangUp();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(3);
  });

  scenario('a second refusal of the same credentials ends the call: 401 reaches the page', kSignedIn, async ({ dial }) => {
    const again = { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=MD5, qop="auth"'] };
    const call = await dial(callee().challenge('INVITE', 'n1').refuse(401, again));
    expect((await call.failed()).sipStatus).toBe(401);
  });

  scenario('a page without a password: 401 ends its call', {}, async ({ dial }) => {
    const asked = { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=MD5, qop="auth"'] };
    const call = await dial(callee().receive('INVITE', { Authorization: null }).refuse(401, asked));
    expect((await call.failed()).sipStatus).toBe(401);
  });
});
