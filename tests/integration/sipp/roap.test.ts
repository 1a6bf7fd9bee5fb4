// The page's side of a call as ROAP has it (docs/protocols/roap.md): ids, sequence numbers, repeated messages, glare, ERROR, SHUTDOWN.
import { describe, expect } from 'vitest';
import { offerOf } from '../support/raw_client';
import { scenario } from './scenario';
import { callee, caller } from './script';
import { kAnswer, kOffer, phoneSdp } from './sdp';
import { kPageOffer } from './wire_page';

// A page that speaks both laws of G.711, so that the far end may change from one to the other.
const kBothLaws = `${offerOf(0, 'PCMU/8000').replace('RTP/SAVPF 0', 'RTP/SAVPF 0 8')}a=rtpmap:8 PCMA/8000\r\n`;
const kALaw = { payload: 8, codec: 'PCMA/8000' };

describe('ROAP', () => {
  scenario('an ANSWER names the OFFER that it answers, whatever the page takes for an id', {}, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200));
    await page.offer('2001', kPageOffer, { offererSessionId: 'a page\'s own "id"' });
    const answer = await page.answered('2001');
    expect(answer.offererSessionId).toBe('a page\'s own "id"');
    expect(answer.seq).toBe(1);
    expect(answer.answererSessionId).toBeTruthy();
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('an OFFER that is posted three times makes one call and gets one ANSWER', {}, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').pause(300).reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200));
    const offer = { messageType: 'OFFER', sdp: kPageOffer, Candidates: [], offererSessionId: 3, answererSessionId: null, seq: 1, tiebreaker: 99 };
    for (let i = 0; i < 3; ++i) await page.send('2001', `RSMP ${JSON.stringify(offer)}`);
    await page.answered('2001');
    await page.send('2001', `RSMP ${JSON.stringify(offer)}`);
    await page.send('2001', 'GET-STATS');
    await page.next(/^PUT-STATS/); // what the repetition could have brought would stand before it
    expect(page.unread.filter(({ body }) => body.startsWith('SDP'))).toEqual([]);
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('glare: a page that drops our OFFER for one of its own learns from our ANSWER what ours would have said', {}, async ({ page, far }) => {
    const phone = await far(
      callee()
        .receive('INVITE')
        .reply(200, { sdp: phoneSdp() })
        .receive('ACK')
        .request('INVITE', { sdp: phoneSdp({ version: 2, ...kALaw }) })
        .expect(200, { body: 'PCMA' })
        .ack()
        .receive('BYE')
        .reply(200),
    );
    await page.offer('2001', kBothLaws);
    expect((await page.answered('2001')).sdp).toMatch(/RTP\/SAVPF 0/);
    const dropped = await page.offered();
    expect(dropped.offer.seq).toBe(2);
    await page.offer('2001', kBothLaws);
    const answer = await page.answered('2001');
    expect(answer.sdp).toMatch(/RTP\/SAVPF 8/);
    await page.send('2001', 'GET-STATS');
    await page.next(/^PUT-STATS/); // whatever else there was to say would stand before it
    expect(page.unread.filter(({ body }) => body.startsWith('SDP'))).toEqual([]);
    await page.send('2001', 'BYE');
    await phone.done();
  });

  scenario('ERROR to our OFFER refuses the call', { dn: '1001' }, async ({ page, far }) => {
    const phone = await far(caller('1001').invite({ sdp: kOffer }).expect(180).expectAny([480, 486, 603]));
    const { offer, peer } = await page.offered();
    const ids = { offererSessionId: offer.offererSessionId, answererSessionId: 2, seq: offer.seq };
    await page.send(peer, `RSMP ${JSON.stringify({ messageType: 'ERROR', errorType: 'REFUSED', ...ids })}`);
    await phone.done();
  });

  scenario('SHUTDOWN ends the call', {}, async ({ page, far }) => {
    const phone = await far(callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200));
    await page.offer('2001');
    const answer = await page.answered('2001');
    const ids = { offererSessionId: answer.offererSessionId, answererSessionId: answer.answererSessionId, seq: 2 };
    await page.send('2001', `RSMP ${JSON.stringify({ messageType: 'SHUTDOWN', ...ids })}`);
    await phone.done();
  });
});
