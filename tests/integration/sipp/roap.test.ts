// The page's side of a call as ROAP has it (docs/protocols/roap.md): ids, sequence numbers, repeated messages, glare, ERROR, SHUTDOWN.
import { describe, expect } from 'vitest';
import { scenario, type Call } from './scenario';
import { answering, callee, ringing } from './script';
import { phoneSdp } from './sdp';
import { kBothLaws, kPageOffer, type Roap } from './wire_page';

// To which the far end may change where the page speaks both laws.
const kALaw = { payload: 8, codec: 'PCMA/8000' };

const say = (call: Call, { offererSessionId }: Roap, more: Partial<Roap>): Promise<void> =>
  call.send(`RSMP ${JSON.stringify({ offererSessionId, answererSessionId: 2, ...more })}`);

describe('ROAP', () => {
  scenario('an ANSWER names the OFFER that it answers, whatever the page takes for an id', {}, async ({ dial }) => {
    const call = await dial(answering().take('BYE'), kPageOffer, { offererSessionId: 'a page\'s own "id"' });
    const answer = await call.answered();
    expect(answer.offererSessionId).toBe('a page\'s own "id"');
    expect(answer.seq).toBe(1);
    expect(answer.answererSessionId).toBeTruthy();
    await call.hangUp();
  });

  scenario('an OFFER that is posted three times makes one call and gets one ANSWER', {}, async ({ dial, page }) => {
    const again = { offererSessionId: 3, seq: 1, tiebreaker: 99 };
    const call = await dial(callee().receive('INVITE').pause(300).answer().take('BYE'), kPageOffer, again);
    for (let i = 0; i < 2; ++i) await page.offer(call.peer, kPageOffer, again);
    await call.answered();
    await page.offer(call.peer, kPageOffer, again);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('glare: a page that drops our OFFER for one of its own learns from our ANSWER what ours would have said', {}, async ({ inCall, page }) => {
    const call = await inCall(answering().reinvite({ sdp: phoneSdp({ version: 2, ...kALaw }) }, { body: 'PCMA' }).take('BYE'), kBothLaws);
    expect(call.answer.sdp).toMatch(/RTP\/SAVPF 0/);
    const dropped = await page.offered();
    expect(dropped.offer.seq).toBe(2);
    expect((await call.renew(kBothLaws)).sdp).toMatch(/RTP\/SAVPF 8/);
    await call.nothingIsLeft();
    await call.hangUp();
  });

  scenario('ERROR to our OFFER refuses the call', { dn: '1001' }, async ({ called }) => {
    const call = await called(ringing('1001').expect(603));
    await say(call, call.offer, { messageType: 'ERROR', errorType: 'REFUSED', seq: call.offer.seq });
    await call.phone.done();
  });

  scenario('SHUTDOWN ends the call', {}, async ({ inCall }) => {
    const call = await inCall(answering().take('BYE'));
    await say(call, call.answer, { messageType: 'SHUTDOWN', answererSessionId: call.answer.answererSessionId, seq: 2 });
    await call.phone.done();
  });
});
