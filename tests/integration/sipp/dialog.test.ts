// What happens inside a call: re-INVITE and glare (RFC 3261 §14), INFO (RFC 6086), NOTIFY talk and hold, OPTIONS, digest on every
// request (RFC 3261 §22, RFC 8760), the end.
import { describe, expect } from 'vitest';
import { scenario, type Cast } from './scenario';
import { callee, caller, type Script } from './script';
import { kAnswer, kOffer, phoneSdp } from './sdp';
import { held, kPageOffer } from './wire_page';

/** A far end that was called and has answered. */
const answered = (): Script => callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK');
const ended = (script: Script): Script => script.receive('BYE').reply(200);

async function inCall({ page, far }: Cast, script: Script): Promise<() => Promise<void>> {
  const phone = await far(script);
  await page.offer('2001');
  await page.answered('2001');
  return () => phone.done();
}

describe('re-INVITE', () => {
  scenario('the far end holds and resumes; it is answered at once, and the page need not do anything', {}, async (cast) => {
    const done = await inCall(
      cast,
      answered()
        .request('INVITE', { sdp: phoneSdp({ version: 2, direction: 'sendonly' }) })
        .expect(200, { body: 'a=recvonly' })
        .ack()
        .request('INVITE', { sdp: phoneSdp({ version: 3 }) })
        .expect(200, { body: 'a=sendrecv' })
        .ack()
        .request('BYE')
        .expect(200),
    );
    await cast.page.next(/^BYE/);
    await done();
    expect(cast.page.unread.filter(({ body }) => body.startsWith('SDP'))).toEqual([]);
  });

  scenario('the far end moves to another address and another payload number for digits; the page need not do anything', {}, async (cast) => {
    const done = await inCall(
      cast,
      answered()
        .request('INVITE', { sdp: phoneSdp({ version: 2, port: 6_100, digits: 96 }) })
        .expect(200, { body: 'm=audio [0-9]+ RTP/AVP 0 96' })
        .ack()
        .request('BYE')
        .expect(200),
    );
    await cast.page.next(/^BYE/);
    await done();
    expect(cast.page.unread.filter(({ body }) => body.startsWith('SDP'))).toEqual([]);
  });

  scenario('the page holds and resumes', {}, async (cast) => {
    const done = await inCall(
      cast,
      ended(
        answered()
          .receive('INVITE', { body: 'a=(inactive|sendonly)' })
          .reply(200, { sdp: phoneSdp({ version: 2, direction: 'inactive' }) })
          .receive('ACK')
          .receive('INVITE', { body: 'a=sendrecv' })
          .reply(200, { sdp: phoneSdp({ version: 3 }) })
          .receive('ACK'),
      ),
    );
    await cast.page.offer('2001', held(kPageOffer));
    expect((await cast.page.answered('2001')).sdp).toContain('a=inactive');
    await cast.page.offer('2001');
    expect((await cast.page.answered('2001')).sdp).toContain('a=sendrecv');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('without an offer: ours is in the 200, the answer in the ACK', {}, async (cast) => {
    const done = await inCall(
      cast,
      answered().request('INVITE').expect(200, { body: 'm=audio' }).ack({ sdp: phoneSdp({ version: 2 }) }).request('BYE').expect(200),
    );
    const fresh = await cast.page.next(/^INVITE/);
    await cast.page.offer(fresh.peer ?? '');
    await cast.page.next(/^BYE/);
    await done();
  });

  scenario('491 is tried again after a while, and then goes through', {}, async (cast) => {
    const done = await inCall(
      cast,
      ended(
        answered()
          .receive('INVITE', { body: 'a=(inactive|sendonly)' })
          .reply(491)
          .receive('ACK')
          .receive('INVITE', { body: 'a=(inactive|sendonly)' })
          .reply(200, { sdp: phoneSdp({ version: 2, direction: 'inactive' }) })
          .receive('ACK'),
      ),
    );
    await cast.page.offer('2001', held(kPageOffer));
    expect((await cast.page.answered('2001')).sdp).toContain('a=inactive');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('both hold at once: the far end gets 491, and its second attempt goes through', {}, async (cast) => {
    const done = await inCall(
      cast,
      answered()
        .receive('INVITE', { body: 'a=(inactive|sendonly)' })
        .request('INVITE', { sdp: phoneSdp({ version: 2, direction: 'inactive' }) })
        .expect(491)
        .reply(200, { to: 'INVITE', sdp: phoneSdp({ version: 3, direction: 'inactive' }) })
        .receive('ACK')
        .invite({ sdp: phoneSdp({ version: 4, direction: 'inactive' }) })
        .expect(200, { body: 'a=inactive' })
        .ack()
        .request('BYE')
        .expect(200),
    );
    await cast.page.offer('2001', held(kPageOffer));
    await cast.page.answered('2001');
    await cast.page.next(/^BYE/);
    await done();
  });

  scenario('488 to the hold of a page: the page is held all the same, and the call goes on', {}, async (cast) => {
    const done = await inCall(cast, ended(answered().receive('INVITE').reply(488).receive('ACK')));
    await cast.page.offer('2001', held(kPageOffer));
    expect((await cast.page.answered('2001')).sdp).toContain('a=inactive');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('one with no codec that the page speaks: 488, and the call goes on as it was', {}, async (cast) => {
    const done = await inCall(
      cast,
      answered().request('INVITE', { sdp: phoneSdp({ version: 2, payload: 18, codec: 'G729/8000' }) }).expect(488).request('BYE').expect(200),
    );
    await cast.page.next(/^BYE/);
    await done();
  });

  scenario('481 to ours ends the call', {}, async (cast) => {
    const done = await inCall(cast, answered().receive('INVITE').reply(481).receive('ACK'));
    await cast.page.offer('2001', held(kPageOffer));
    await cast.page.next(/^BYE/);
    await done();
  });
});

describe('data and events', () => {
  scenario('INFO of the page: mapped and unmapped data have their content types', {}, async (cast) => {
    const done = await inCall(
      cast,
      ended(
        answered()
          .receive('INFO', { 'Content-Type': 'application/x-www-form-urlencoded', body: 'visit=7&who=Zo%C3%AB' })
          .reply(200)
          .receive('INFO', { 'Content-Type': 'application/octet-stream', body: 'visit=8' })
          .reply(200),
      ),
    );
    await cast.page.send('2001', 'INFO-MAP visit=7&who=Zo%C3%AB');
    await cast.page.send('2001', 'INFO-PEER visit=8');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('an INFO that is never answered does not hold up the BYE', {}, async (cast) => {
    const done = await inCall(cast, answered().receive('INFO').receive('BYE').reply(200));
    await cast.page.send('2001', 'INFO-MAP a=1');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('INFO of the far end reaches the page as it is', {}, async (cast) => {
    const done = await inCall(
      cast,
      ended(answered().request('INFO', { type: 'application/octet-stream', body: 'account=17&note=a%20b' }).expect(200)),
    );
    expect((await cast.page.next(/^INFO-PEER/)).body.trimEnd()).toBe('INFO-PEER account=17&note=a%20b'); // sipp ends a body with CRLF
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('NOTIFY hold and talk reach the page; other events are refused with 489', {}, async (cast) => {
    const done = await inCall(
      cast,
      ended(
        answered()
          .pause(300) // events that come faster than the page can act on them are made one
          .request('NOTIFY', { headers: ['Event: hold'] })
          .expect(200)
          .pause(300)
          .request('NOTIFY', { headers: ['Event: talk', 'Subscription-State: active'] })
          .expect(200)
          .request('NOTIFY', { headers: ['Event: weather', 'Subscription-State: active'] })
          .expect(489),
      ),
    );
    await cast.page.next(/^EVENT-HOLD/);
    await cast.page.next(/^EVENT-TALK/);
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('NOTIFY talk while it rings reaches the page, which answers', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(
      caller('1001').invite({ sdp: kOffer }).expect(180).request('NOTIFY', { headers: ['Event: talk'] }).expect(200).maybe(180).inviteAnswered().ack(),
    );
    const { offer, peer } = await page.offered();
    await page.next(/^EVENT-TALK/);
    await page.answerTo(offer, peer);
    await phone.done();
  });

  scenario('OPTIONS in the call says what we can do', {}, async (cast) => {
    const done = await inCall(cast, ended(answered().request('OPTIONS').expect(200, { Allow: 'INVITE.*INFO.*NOTIFY.*PRACK.*UPDATE.*REFER' })));
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('a method that nobody knows: 501 or 405', {}, async (cast) => {
    const done = await inCall(cast, ended(answered().request('JUGGLE').expect(501)));
    await cast.page.send('2001', 'BYE');
    await done();
  });
});

describe('digest', () => {
  const kMd5 = 'Digest realm="far", nonce="n1", algorithm=MD5, qop="auth"';
  const credentials = { headers: [`WWW-Authenticate: ${kMd5}`] };

  scenario('401 on INVITE, re-INVITE, INFO and BYE: each is sent again with credentials', { dn: '1001', credentials: true }, async (cast) => {
    const done = await inCall(
      cast,
      callee()
        .receive('INVITE', { Authorization: null })
        .reply(401, credentials)
        .receive('ACK')
        .receive('INVITE', { Authorization: 'response=' })
        .reply(200, { sdp: kAnswer })
        .receive('ACK')
        .receive('INFO')
        .reply(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n2", algorithm=MD5, stale=true, qop="auth"'] })
        .receive('INFO', { Authorization: 'nonce="n2"' })
        .reply(200)
        .receive('BYE')
        .reply(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n3", algorithm=MD5, stale=true, qop="auth"'] })
        .receive('BYE', { Authorization: 'nonce="n3"' })
        .reply(200),
    );
    await cast.page.send('2001', 'INFO-MAP a=1');
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('407 with SHA-256 beside MD5: the first that is offered is used', { dn: '1001', credentials: true }, async (cast) => {
    const done = await inCall(
      cast,
      ended(
        callee()
          .receive('INVITE')
          .reply(407, {
            headers: ['Proxy-Authenticate: Digest realm="far", nonce="n1", algorithm=SHA-256, qop="auth"', `Proxy-Authenticate: ${kMd5}`],
          })
          .receive('ACK')
          .receive('INVITE', { 'Proxy-Authorization': 'algorithm=SHA-256' })
          .reply(200, { sdp: kAnswer })
          .receive('ACK'),
      ),
    );
    await cast.page.send('2001', 'BYE');
    await done();
  });

  scenario('a second refusal of the same credentials ends the call: 401 reaches the page', { dn: '1001', credentials: true }, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE').reply(401, credentials).receive('ACK').receive('INVITE').reply(401, credentials).receive('ACK'),
    );
    await page.offer('2001');
    expect((await page.error()).sipStatus).toBe(401);
    await phone.done();
  });
});
