// INVITE in both directions (RFC 3261 §9, §13): answers, refusals, cancelling, offers early and late, forks.
import { describe, expect } from 'vitest';
import { scenario } from './scenario';
import { answering, callee, caller, ringing, type Content, type Expected, type Script } from './script';
import { kAnswer, kForeign, kOffer, phoneSdp } from './sdp';

const kEarly = { configuration: { media: { 'early-media': true } } };

describe('a page calls', () => {
  scenario('INVITE with an offer, ringing, answer, and the page hangs up', {}, async ({ inCall }) => {
    const call = await inCall(callee().receive('INVITE', { body: 'm=audio [0-9]+ RTP/AVP 0' }).reply(180).answer().take('BYE'));
    expect(call.answer.sdp).toMatch(/m=audio \d+ RTP\/SAVPF 0/);
    await call.hangUp();
  });

  scenario('the far end hangs up', {}, async ({ inCall }) => {
    const call = await inCall(answering().hangUp());
    await call.hungUp();
  });

  scenario('183 without media means ringing, and changes nothing', { features: ['progress'] }, async ({ dial, page }) => {
    const call = await dial(callee().receive('INVITE').reply(183).answer().take('BYE'));
    await page.next(/^PROGRESS .*ringing/);
    await call.answered();
    await call.hangUp();
  });

  scenario('183 with media is no answer where early media is not configured', { features: ['progress'] }, async ({ dial, unread }) => {
    const call = await dial(callee().receive('INVITE').reply(183, { sdp: kAnswer }).refuse(486));
    expect((await call.failed()).sipStatus).toBe(486);
    expect(unread(/ANSWER/)).toEqual([]);
  });

  scenario('183 with media answers the page at once where it is', kEarly, async ({ inCall }) => {
    const call = await inCall(callee().receive('INVITE').reply(183, { sdp: kAnswer }).take('CANCEL').refuse(487));
    await call.hangUp(); // before the 200
  });

  scenario('the 200 need not repeat what the 183 has answered', kEarly, async ({ inCall, bench }) => {
    const call = await inCall(callee().receive('INVITE').reply(183, { sdp: kAnswer }).answer({}).take('BYE'));
    await bench.gets(/^ACK /m);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  const kProvisional = { features: ['provisional'] };
  scenario('a page that knows provisional answers has one before the 183, and a final one with the 200', kProvisional, async ({ dial, page }) => {
    const call = await dial(callee().receive('INVITE').reply(183, { sdp: kAnswer }).answer().take('BYE'));
    const answers = [await page.nextAnswer(), await page.nextAnswer()];
    expect(answers.map(({ moreComing, seq }) => [moreComing, seq])).toEqual([[true, 1], [undefined, 1]]);
    await call.hangUp();
  });

  scenario('a BYE of the page before any answer becomes CANCEL', {}, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').reply(180).take('CANCEL').refuse(487));
    await call.hangUp();
  });

  scenario('a 200 that crosses the CANCEL gets ACK and BYE', {}, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').reply(180).take('CANCEL').answer().take('BYE'));
    await call.hangUp();
  });

  const kRefusals = [
    [486, 'Busy Here', 'REFUSED', 'The called party is busy'],
    [404, 'Not Found', 'REFUSED', 'There is nobody of that name to call'],
    [480, 'Temporarily Unavailable', 'REFUSED', 'The called party is not available at present'],
    [503, 'Service Unavailable', 'FAILED', 'The SIP server is overloaded or cannot be reached'],
    [603, 'Decline', 'REFUSED', 'The called party declined the call'],
  ] as const;
  for (const [status, phrase, errorType, reason] of kRefusals) {
    scenario(`${status} reaches the page with status and sentence, and ends the call`, {}, async ({ dial }) => {
      const call = await dial(callee().receive('INVITE').refuse(status, { reason: phrase }));
      expect(await call.failed()).toMatchObject({ errorType, sipStatus: status, reason });
    });
  }

  scenario('a Reason header of a refusal says more than its status', {}, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').refuse(480, { headers: ['Reason: Q.850;cause=17;text="User busy"'] }));
    expect((await call.failed()).reason).toMatch(/busy/i);
  });

  // Two phones behind one number, both with early media, and what then comes.
  const forked = (): Script =>
    callee()
      .receive('INVITE')
      .reply(183, { branch: 'a', sdp: phoneSdp({ port: 6_000 }) })
      .reply(183, { branch: 'b', sdp: phoneSdp({ port: 6_010 }) });
  for (const [which, branch, port] of [['the first', 'a', 6_000], ['the last', 'b', 6_010], ['one that was never heard of', 'c', 6_020]] as const) {
    scenario(`several early dialogs: the answer may come from ${which}`, {}, async ({ inCall }) => {
      const call = await inCall(forked().answer({ branch, sdp: phoneSdp({ port }) }).take('BYE', { To: `tag=${branch}` }));
      await call.hangUp();
    });
  }

  scenario('several early dialogs: the page that has had its answer with the first keeps it when another one answers',
    kEarly,
    async ({ inCall, bench }) => {
      const call = await inCall(forked().answer({ branch: 'b', sdp: phoneSdp({ port: 6_010 }) }).take('BYE', { To: 'tag=b' }));
      await bench.gets(/^ACK /m);
      await call.nothingIsLeft();
      await call.hangUp();
    });

  scenario('a 200 from a second branch gets ACK and BYE, and the call goes on with the first', {}, async ({ inCall, bench }) => {
    const call = await inCall(
      callee()
        .receive('INVITE')
        .answer({ branch: 'a', sdp: kAnswer })
        .answer({ branch: 'b', sdp: kAnswer })
        .take('BYE', { To: 'tag=b' })
        .take('BYE', { To: 'tag=a' }),
    );
    await bench.gets(/^BYE [^]*tag=b/m);
    await call.hangUp();
  });

  scenario('an answer without a codec in common ends both sides', {}, async ({ dial }) => {
    const call = await dial(callee().receive('INVITE').answer({ sdp: phoneSdp(kForeign) }).take('BYE'));
    expect((await call.failed()).sipStatus).toBe(488);
  });
});

describe('a page is called', () => {
  scenario('the page gets the offer, answers, and the phone hangs up', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(ringing('1001').answered({ body: 'm=audio' }).hangUp());
    await call.hungUp();
  });

  scenario('the page hangs up', { dn: '1001' }, async ({ answers, page }) => {
    const call = await answers(ringing('1001').answered().take('BYE'));
    await page.next(/^SDP .*"OK"/s);
    await call.hangUp();
  });

  scenario('the page declines: 603', { dn: '1001' }, async ({ called }) => {
    const call = await called(ringing('1001').expect(603));
    await call.hangUp();
  });

  scenario('a second call to a page in a call: 486, and the first goes on', { dn: '1001' }, async ({ answers, page, bench }) => {
    const call = await answers(ringing('1001').answered().take('INFO').take('BYE'));
    await page.next(/^SDP .*"OK"/s);
    const second = await bench.elsewhere(caller('1001').invite({ sdp: kOffer }).expect(486));
    await second.done();
    await call.send('INFO-MAP still=here');
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('CANCEL ends the ringing at the page', { dn: '1001' }, async ({ called }) => {
    const call = await called(ringing('1001').cancel().expect(200).expect(487));
    await call.hungUp();
  });

  scenario('INVITE without an offer: the page makes it, the answer comes in the ACK', { dn: '1001' }, async ({ far, page }) => {
    const phone = await far(ringing('1001', {}).answered({ body: 'm=audio' }, { sdp: kAnswer }).hangUp());
    const { peer } = await page.next(/^INVITE/);
    await page.offer(peer ?? '');
    expect((await page.answered(peer ?? '')).sdp).toMatch(/RTP\/SAVPF 0/);
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('an INVITE without an offer whose ACK brings no answer is ended', { dn: '1001' }, async ({ far, page }) => {
    const phone = await far(ringing('1001', {}).answered({ body: 'm=audio' }).take('BYE'));
    const { peer } = await page.next(/^INVITE/);
    await page.offer(peer ?? '');
    await page.next(/^BYE/);
    await phone.done();
  });

  const kUnfit: [string, string, Content, number, Expected?][] = [
    ['whose body is no SDP: 415', '1001', { body: 'hello', type: 'text/plain' }, 415],
    ['without a codec that we pass on: 488', '1001', { sdp: phoneSdp(kForeign) }, 488],
    ['for a DN that nobody has signed in: 404', '4711', { sdp: kOffer }, 404],
    ['that requires what we do not know: 420 names it', '1001', { sdp: kOffer, headers: ['Require: teleportation'] }, 420, { Unsupported: 'teleportation' }],
  ];
  for (const [which, dn, invite, status, expected] of kUnfit) {
    scenario(`an INVITE ${which}`, { dn: '1001' }, async ({ far, page, unread }) => {
      const phone = await far(caller(dn).invite(invite).expect(status, expected));
      await phone.done();
      await page.offer('null');
      expect((await page.error()).errorType).toBe('NOMATCH'); // what the page had been told of the INVITE would stand before it
      expect(unread(/^(?!BYE)/)).toEqual([]);
    });
  }
});
