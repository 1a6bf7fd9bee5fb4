// What happens inside a call: re-INVITE and glare (RFC 3261 §14), INFO (RFC 6086), NOTIFY talk and hold, OPTIONS.
import { describe, expect } from 'vitest';
import { scenario, type Call } from './scenario';
import { answering, ringing, type Script } from './script';
import { heldSdp, kForeign, kHold, phoneSdp } from './sdp';
import type { Bench } from './sipp';
import { held, kBothLaws, kPageOffer, type WirePage } from './wire_page';

describe('re-INVITE', () => {
  scenario('the far end holds and resumes; it is answered at once, and the page need not do anything', {}, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .reinvite({ sdp: phoneSdp({ version: 2, direction: 'sendonly' }) }, { body: 'a=recvonly' })
        .reinvite({ sdp: phoneSdp({ version: 3 }) }, { body: 'a=sendrecv' })
        .hangUp(),
    );
    await call.hungUp();
  });

  scenario('the page hears of a hold and of its end; what it answers is no matter of SIP', {}, async ({ inCall, page }) => {
    const call = await inCall(
      answering()
        .reinvite({ sdp: phoneSdp({ version: 2, direction: 'sendonly' }) }, { body: 'a=recvonly' })
        .take('INFO')
        .reinvite({ sdp: phoneSdp({ version: 3 }) }, { body: 'a=sendrecv' })
        .take('BYE'),
    );
    const receiving = kPageOffer.replace('a=sendrecv', 'a=recvonly');
    expect((await page.answer(receiving)).sdp).toContain('a=sendonly');
    await page.next(/^SDP .*"OK"/s);
    await call.send('INFO-MAP now=resume');
    expect((await page.answer()).sdp).toContain('a=sendrecv');
    await page.next(/^SDP .*"OK"/s);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('the far end moves to another address and another payload number for digits; the page need not do anything', {}, async ({ inCall, bench }) => {
    const moved = phoneSdp({ version: 2, port: 6_100, digits: 96 });
    const call = await inCall(answering().reinvite({ sdp: moved }, { body: 'm=audio [0-9]+ RTP/AVP 0 96' }).take('BYE'));
    await bench.gets(/^m=audio \d+ RTP\/AVP 0 96/m);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('the page holds and resumes', {}, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .receive('INVITE', kHold)
        .answer({ sdp: heldSdp(2) })
        .receive('INVITE', { body: 'a=sendrecv' })
        .answer({ sdp: phoneSdp({ version: 3 }) })
        .take('BYE'),
    );
    expect((await call.renew(held(kPageOffer))).sdp).toContain('a=inactive');
    expect((await call.renew()).sdp).toContain('a=sendrecv');
    await call.hangUp();
  });

  // The page is asked for one, and what it says now goes out.
  const asksForAnOffer = (call: Script): Script => call.ask('INVITE', {}, { body: 'PCMA/8000' }).ack({ sdp: phoneSdp({ version: 2 }) }).hangUp();
  async function makesAnOffer(page: WirePage, call: Call): Promise<void> {
    await page.offer((await page.next(/^INVITE/)).peer ?? '', kBothLaws);
    await call.hungUp();
  }

  scenario('without an offer: the page\'s is in the 200, the answer in the ACK', {}, async ({ inCall, page }) => {
    await makesAnOffer(page, await inCall(asksForAnOffer(answering())));
  });

  scenario('without an offer, of a caller: the same', { dn: '1001' }, async ({ answers, page }) => {
    await makesAnOffer(page, await answers(asksForAnOffer(ringing('1001').answered())));
  });

  scenario('both hold at once: the far end gets 491, and its second attempt goes through', {}, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .receive('INVITE', kHold)
        .invite({ sdp: heldSdp(2) })
        .expect(491)
        .answer({ sdp: heldSdp(3) })
        .reinvite({ sdp: heldSdp(4) }, { body: 'a=inactive' })
        .hangUp(),
    );
    await call.renew(held(kPageOffer));
    await call.hungUp();
  });

  // RFC 3261 §14.1.
  const kRefusedOnce = (script: Script): Script =>
    script.receive('INVITE', kHold).refuse(491).receive('INVITE', kHold).answer({ sdp: heldSdp(2) }).take('BYE');
  async function holdsAfter(call: Call, bench: Bench): Promise<number> {
    expect((await call.renew(held(kPageOffer))).sdp).toContain('a=inactive');
    await call.hangUp();
    const attempts = bench.received(/INVITE sip.*a=(inactive|sendonly)/s).map(({ at }) => at);
    return attempts.at(-1)! - attempts[0]!;
  }

  scenario('491 is tried again after 2.1 to 4 s where the Call-ID is ours', {}, async ({ inCall, bench }) => {
    const pause = await holdsAfter(await inCall(kRefusedOnce(answering())), bench);
    expect(pause).toBeGreaterThanOrEqual(2_100);
    expect(pause).toBeLessThan(5_000);
  });

  scenario('491 is tried again within 2 s where the Call-ID is the far end\'s', { dn: '1001' }, async ({ answers, page, bench }) => {
    const call = await answers(kRefusedOnce(ringing('1001').answered()));
    await page.next(/^SDP .*"OK"/s);
    expect(await holdsAfter(call, bench)).toBeLessThan(2_500);
  });

  scenario('488 to the hold of a page: the page is held all the same, and the call goes on', {}, async ({ inCall }) => {
    const call = await inCall(answering().receive('INVITE').refuse(488).take('BYE'));
    expect((await call.renew(held(kPageOffer))).sdp).toContain('a=inactive');
    await call.hangUp();
  });

  scenario('one with no codec that the page speaks: 488, and the call goes on as it was', {}, async ({ inCall, bench }) => {
    const call = await inCall(answering().invite({ sdp: phoneSdp({ version: 2, ...kForeign }) }).expect(488).take('BYE'));
    await bench.gets(/^SIP\/2.0 488/m);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('481 to ours ends the call', {}, async ({ inCall, page }) => {
    const call = await inCall(answering().receive('INVITE').refuse(481).take('BYE'));
    await page.offer(call.peer, held(kPageOffer));
    expect((await call.failed()).sipStatus).toBe(481);
  });
});

describe('data and events', () => {
  const kMapped = 'application/x-www-form-urlencoded';
  const kPlain = 'application/octet-stream';

  scenario('INFO of the page: mapped and unmapped data have their content types', {}, async ({ inCall }) => {
    const call = await inCall(
      answering()
        .take('INFO', { 'Content-Type': kMapped, body: 'visit=7&who=Zo%C3%AB' })
        .take('INFO', { 'Content-Type': kPlain, body: 'visit=8' })
        .take('BYE'),
    );
    await call.send('INFO-MAP visit=7&who=Zo%C3%AB');
    await call.send('INFO-PEER visit=8');
    await call.hangUp();
  });

  scenario('INFO that is refused: the page hears why, and the call goes on', {}, async ({ inCall, page }) => {
    const call = await inCall(answering().receive('INFO').reply(415).take('BYE'));
    await call.send('INFO-MAP a=1');
    expect((await page.error()).sipStatus).toBe(415);
    await call.hangUp();
  });

  scenario('an INFO that is never answered does not hold up the BYE', {}, async ({ inCall }) => {
    const call = await inCall(answering().receive('INFO').take('BYE'));
    await call.send('INFO-MAP a=1');
    await call.hangUp();
  });

  scenario('INFOs of the page go one after the other', {}, async ({ inCall, page }) => {
    const call = await inCall(
      answering()
        .receive('INFO', { body: 'n=1' })
        .pause(200) // the next one would be unexpected
        .reply(200)
        .take('INFO', { body: 'n=2' })
        .take('INFO', { body: 'n=3' })
        .ask('INFO', { type: kPlain, body: 'all' })
        .take('BYE'),
    );
    for (const data of ['n=1', 'n=2', 'n=3']) await call.send(`INFO-MAP ${data}`);
    await page.next(/^INFO-PEER all/);
    await call.hangUp();
  });

  scenario('INFO of the far end reaches the page as it is', {}, async ({ inCall, page }) => {
    const call = await inCall(answering().ask('INFO', { type: kPlain, body: 'account=17&note=a%20b' }).take('BYE'));
    expect((await page.next(/^INFO-PEER/)).body.trimEnd()).toBe('INFO-PEER account=17&note=a%20b'); // sipp ends a body with CRLF
    await call.hangUp();
  });

  scenario('NOTIFY hold and talk reach the page; other events are refused with 489', {}, async ({ inCall, page }) => {
    const call = await inCall(
      answering()
        .take('INFO') // events that come faster than the page can act on them are made one
        .ask('NOTIFY', { headers: ['Event: hold'] })
        .take('INFO')
        .ask('NOTIFY', { headers: ['Event: talk', 'Subscription-State: active'] })
        .request('NOTIFY', { headers: ['Event: weather', 'Subscription-State: active'] })
        .expect(489)
        .take('INFO')
        .hangUp(),
    );
    await call.send('INFO-MAP say=hold');
    await page.next(/^EVENT-HOLD/);
    await call.send('INFO-MAP say=talk');
    await page.next(/^EVENT-TALK/);
    await call.send('INFO-MAP heard=both');
    await call.hungUp();
  });

  scenario('NOTIFY talk while it rings reaches the page, which answers', { dn: '1001' }, async ({ called, page }) => {
    const call = await called(ringing('1001').ask('NOTIFY', { headers: ['Event: talk'] }).answered().take('BYE'));
    await page.next(/^EVENT-TALK/);
    await page.answerTo(call.offer, call.peer);
    await page.next(/^SDP .*"OK"/s);
    await call.hangUp();
  });

  scenario('OPTIONS in the call says what we can do', {}, async ({ inCall }) => {
    const call = await inCall(answering().ask('OPTIONS', {}, { Allow: 'INVITE.*INFO.*NOTIFY.*PRACK.*UPDATE.*REFER' }).hangUp());
    await call.hungUp();
  });

  scenario('a method that nobody knows: 501, and the call goes on', {}, async ({ inCall }) => {
    const call = await inCall(answering().request('JUGGLE').expect(501).hangUp());
    await call.hungUp();
  });
});

describe('the end of a call', () => {
  scenario('a BYE with a Reason that says failure tells the page that the call broke off', {}, async ({ inCall }) => {
    const call = await inCall(answering().ask('BYE', { headers: ['Reason: Q.850;cause=38;text="Network out of order"'] }));
    expect(await call.failed()).toMatchObject({ errorType: 'FAILED', reason: expect.stringMatching(/^The call broke off/) });
  });

  scenario('a BYE with a Reason that says an ordinary end tells the page no error', {}, async ({ inCall, unread }) => {
    const call = await inCall(answering().ask('BYE', { headers: ['Reason: Q.850;cause=16;text="Normal call clearing"'] }));
    await call.hungUp();
    expect(unread(/errorType/)).toEqual([]);
  });

  scenario('a page that signs out in a call: BYE with the reason that it is gone', {}, async ({ inCall, page }) => {
    const call = await inCall(answering().take('BYE', { Reason: 'Q.850;cause=27' }));
    await page.signOut();
    await call.phone.done();
  });

  scenario('a BYE to a call that has ended: 481', {}, async ({ inCall }) => {
    const call = await inCall(answering().take('BYE').request('BYE').expect(481));
    await call.hangUp();
  });
});
