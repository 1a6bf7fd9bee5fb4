// INVITE in both directions (RFC 3261 §9, §13): answers, refusals, cancelling, offers early and late, forks.
import { describe, expect } from 'vitest';
import { scenario } from './scenario';
import { callee, caller } from './script';
import { kAnswer, kOffer, phoneSdp } from './sdp';

describe('a page calls', () => {
  scenario('INVITE with an offer, ringing, answer, and the page hangs up', {}, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE', { body: 'm=audio [0-9]+ RTP/AVP 0' }).reply(180).reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200),
    );
    await page.offer('2001');
    expect((await page.answered('2001')).sdp).toMatch(/m=audio \d+ RTP\/SAVPF 0/);
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('over TCP, and the far end hangs up', { transport: 'tcp' }, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').request('BYE').expect(200));
    await page.offer('2001');
    await page.answered('2001');
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('183 without media means ringing, and changes nothing', { features: ['progress'] }, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(183).reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200));
    await page.offer('2001');
    await page.next(/^PROGRESS .*ringing/);
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('183 with media answers the page at once where early media is configured; the 200 need not repeat it',
    { configuration: { media: { 'early-media': true } } },
    async ({ page, far }) => {
      const phone = await far(callee().receive('INVITE').reply(183, { sdp: kAnswer }).pause(500).reply(200).receive('ACK').receive('BYE').reply(200));
      await page.offer('2001');
      await page.answered('2001');
      await page.send('2001', 'BYE');
      await phone.done();
    });

  scenario('a BYE of the page before any answer becomes CANCEL', {}, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(180).receive('CANCEL').reply(200).reply(487, { to: 'INVITE' }).receive('ACK'));
    await page.offer('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('a 200 that crosses the CANCEL gets ACK and BYE', {}, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE').reply(180).receive('CANCEL').reply(200).reply(200, { to: 'INVITE', sdp: kAnswer }).receive('ACK').receive('BYE').reply(200),
    );
    await page.offer('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  const kRefusals = [[486, 'Busy Here'], [404, 'Not Found'], [480, 'Temporarily Unavailable'], [503, 'Service Unavailable'], [603, 'Decline']];
  for (const [status, reason] of kRefusals as [number, string][]) {
    scenario(`${status} reaches the page with status and sentence, and ends the call`, {}, async ({ page, far }) => {
      const phone = await far(callee().receive('INVITE').reply(status, { reason }).receive('ACK'));
      await page.offer('2001');
      const error = await page.error();
      expect(error.sipStatus).toBe(status);
      expect(error.reason).toBeTruthy();
      await page.next(/^BYE/);
      await phone.done();
    });
  }

  scenario('a Reason header of a refusal says more than its status', {}, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE').reply(480, { headers: ['Reason: Q.850;cause=17;text="User busy"'] }).receive('ACK'),
    );
    await page.offer('2001');
    expect((await page.error()).reason).toMatch(/busy/i);
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('several early dialogs: the answer may come from the first', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(183, { branch: 'a', sdp: phoneSdp({ port: 6_000 }) })
        .reply(183, { branch: 'b', sdp: phoneSdp({ port: 6_010 }) })
        .reply(200, { branch: 'a', sdp: phoneSdp({ port: 6_000 }) })
        .receive('ACK', { To: 'tag=a' })
        .receive('BYE', { To: 'tag=a' })
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('several early dialogs: the answer may come from one that was never heard of', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(183, { branch: 'a', sdp: phoneSdp({ port: 6_000 }) })
        .reply(180, { branch: 'b' })
        .reply(200, { branch: 'c', sdp: phoneSdp({ port: 6_020 }) })
        .receive('ACK', { To: 'tag=c' })
        .receive('BYE', { To: 'tag=c' })
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('a 200 from a second branch gets ACK and BYE, and the call goes on with the first', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { branch: 'a', sdp: kAnswer })
        .receive('ACK', { To: 'tag=a' })
        .reply(200, { to: 'INVITE', branch: 'b', sdp: kAnswer })
        .receive('ACK', { To: 'tag=b' })
        .receive('BYE', { To: 'tag=b' })
        .reply(200)
        .receive('BYE', { To: 'tag=a' })
        .reply(200),
    );
    await page.offer('2001');
    await page.answered('2001');
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('an answer without a codec in common ends both sides', {}, async ({ page, far }) => {
    const phone = await far(
      callee().receive('INVITE').reply(200, { sdp: phoneSdp({ payload: 18, codec: 'G729/8000' }) }).receive('ACK').receive('BYE').reply(200),
    );
    await page.offer('2001');
    expect((await page.error()).sipStatus).toBe(488);
    await page.next(/^BYE/);
    await phone.done();
  });
});

describe('a page is called', () => {
  scenario('the page gets the offer, answers, and the phone hangs up', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer }).expect(180).expect(200, { body: 'm=audio' }).ack().request('BYE').expect(200));
    await page.answer();
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('the page hangs up', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer }).expect(180).expect(200).ack().receive('BYE').reply(200));
    await page.answer();
    await page.next(/^SDP .*"OK"/s);
    await page.send('far', 'BYE');
    await phone.done();
  });

  scenario('the page declines: 603', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer }).expect(180).expect(603));
    const { peer } = await page.offered();
    await page.send(peer, 'BYE');
    await phone.done();
  });

  scenario('a second call to a page in a call: 486, and the first goes on', { dn: '1001' }, async ({ page, far }) => {
    const first = await far(caller('1001').invite({ sdp: kOffer }).expect(180).expect(200).ack());
    await page.answer();
    await first.done();
    const second = await far(caller('1001').invite({ sdp: kOffer }).expect(486));
    await second.done();
    expect(page.unread.filter(({ body }) => body.startsWith('BYE'))).toEqual([]);
  });

  scenario('CANCEL ends the ringing at the page', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer }).expect(180).cancel().expect(200).expect(487));
    await page.offered();
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('INVITE without an offer: the page makes it, the answer comes in the ACK', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite().expect(180).expect(200, { body: 'm=audio' }).ack({ sdp: kAnswer }).request('BYE').expect(200));
    const { peer } = await page.next(/^INVITE/);
    await page.offer(peer ?? '');
    await page.answered(peer ?? '');
    await page.next(/^BYE/);
    await phone.done();
  });

  scenario('an INVITE whose body is no SDP: 415', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').invite({ body: 'hello', type: 'text/plain' }).expect(415));
    await phone.done();
  });

  scenario('an INVITE for a DN that nobody has signed in: 404', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('4711').invite({ sdp: kOffer }).expect(404));
    await phone.done();
  });

  scenario('an INVITE that requires what we do not know: 420 names it', { dn: '1001' }, async ({ far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer, headers: ['Require: teleportation'] }).expect(420, { Unsupported: 'teleportation' }));
    await phone.done();
  });
});
