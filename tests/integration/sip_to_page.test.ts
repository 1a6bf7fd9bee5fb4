// What SIP does, as a page with media sees it: NOTIFY talk and hold, INVITE and re-INVITE without SDP, INFO, attached data, digits. Each
// with our own client in both browsers and with the clients in the field. The far end is sipp, or baresip where sound matters.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestBrowser, waitForTone } from './support/browser';
import { kContenders } from './support/contenders';
import { until } from './support/wait';
import { WebParty } from './support/web_party';
import { WebServer } from './support/web_server';
import { worldFor } from './support/world';
import { Bench } from './sipp/sipp';
import { callee, caller, type Script } from './sipp/script';
import { kAnswer, kOffer, phoneSdp } from './sipp/sdp';

const kTone = 600;

describe.each(kContenders)('SIP as $name sees it', ({ browser: kind, client }) => {
  let browser: TestBrowser;
  let web: WebServer;
  let bench: Bench;
  let page: WebParty;

  beforeAll(async () => {
    [browser, web] = await Promise.all([TestBrowser.start({ tone: kTone, kind }), WebServer.start()]);
  });
  afterAll(() => Promise.all([browser?.stop(), web?.stop()]));

  /** A page that sipp has registered as 1001. */
  const signedIn = async (): Promise<void> => {
    bench = await Bench.start();
    const registrar = await bench.far(callee().receive('REGISTER').reply(200, { headers: ['Expires: 3600'] }));
    page = await WebParty.start(browser, web, bench.gateway, { dn: '1001', client });
    await registrar.done();
  };
  beforeEach(signedIn);
  afterEach(async () => {
    await page?.stop();
    await bench?.stop();
  });

  const answers = (): Script => callee().receive('INVITE').reply(200, { sdp: kAnswer }).receive('ACK');
  const ended = (script: Script): Script => script.receive('BYE').reply(200);
  const notify = (script: Script, event: string): Script => script.request('NOTIFY', { headers: [`Event: ${event}`, 'Subscription-State: terminated'] });
  const isHeld = phoneSdp({ version: 2, direction: 'inactive' });

  it('NOTIFY talk answers a ringing call, hold holds it, talk resumes it', async () => {
    const script = notify(caller('1001').invite({ sdp: kOffer }).expect(180), 'talk').expect(200).inviteAnswered({ body: 'm=audio' }).ack();
    notify(script, 'hold').expect(200).receive('INVITE', { body: 'a=(inactive|sendonly)' }).reply(200, { sdp: isHeld }).receive('ACK');
    script.receive('INFO').reply(200); // a client in the field confirms an answer before its browser has taken it
    notify(script, 'talk').expect(200).receive('INVITE', { body: 'a=sendrecv' }).reply(200, { sdp: phoneSdp({ version: 3 }) }).receive('ACK');
    await page.evaluate('openSession()'); // which the talk event answers with
    const far = await bench.far(ended(script));
    await page.waitFor('onIncomingCall');
    expect(await page.waitFor('onNotifyEvent')).toMatchObject({ event: 'talk' });
    expect(await page.waitFor('onNotifyEvent')).toMatchObject({ event: 'hold' });
    expect(await page.waitFor('onSessionHold')).toEqual({ isTrue: true });
    await page.evaluate("session.sendInfo({ held: 'now' }, false)");
    expect(await page.waitFor('onNotifyEvent')).toMatchObject({ event: 'talk' });
    await until('the call is resumed', async () => (await page.events()).some(({ name }) => name === 'onRemoteStream') && (await page.established()));
    await page.hangUp();
    await far.done();
  });

  it('an INVITE without SDP rings, and accepting makes the offer', async () => {
    const far = await bench.far(ended(caller('1001').invite().expect(180).expect(200, { body: 'm=audio' }).ack({ sdp: kAnswer })));
    expect((await page.waitFor('onIncomingCall'))['peer']).toContain('far');
    if (client === 'grtc') expect((await page.waitFor('onInvite'))['peer']).toContain('far');
    await page.accept();
    await page.waitFor('onRemoteStream');
    await page.waitUntilEstablished();
    await page.hangUp();
    await far.done();
  });

  it.runIf(client === 'grtc')('an INVITE without SDP that the page accepts, and gives up before its offer is made, is declined', async () => {
    const far = await bench.far(caller('1001').invite().expect(180).expect(603).ack());
    await page.waitFor('onIncomingCall');
    await page.evaluate('(accept(true, false), session.terminateCall())');
    await far.done();
  });

  it('a re-INVITE without SDP brings a fresh offer of the page, and the call goes on', async () => {
    const far = await bench.far(
      answers().request('INVITE').expect(200, { body: 'm=audio' }).ack({ sdp: phoneSdp({ version: 2 }) }).receive('BYE').reply(200),
    );
    await page.call('2001');
    await page.waitFor('onRemoteStream');
    const offers = client === 'grtc' ? 'window.probe.connections.length' : 'session.seq + window.probe.connections.length';
    await until('a fresh offer', async () => Number(await page.evaluate(offers)) > (client === 'grtc' ? 1 : 2));
    await page.waitUntilEstablished();
    await page.hangUp();
    await far.done();
  });

  it('INFO passes both ways: to the SIP server mapped, to the far end and from it unmapped', async () => {
    const far = await bench.far(
      ended(
        answers()
          .receive('INFO', { 'Content-Type': 'application/x-www-form-urlencoded', body: 'visitid=abc123&token=1234' })
          .reply(200)
          .receive('INFO', { 'Content-Type': 'application/octet-stream', body: 'for=you' })
          .reply(200)
          .request('INFO', { type: 'application/octet-stream', body: 'answer=42&to=page' }) // sipp ends it with a line break
          .expect(200),
      ),
    );
    await page.call('2001');
    await page.waitUntilEstablished();
    await page.evaluate(`session.sendInfo({ visitid: 'abc123', token: '1234' }, true)`);
    await page.evaluate(`session.sendInfo({ for: 'you' }, false)`);
    expect(await page.waitFor('onInfoFromPeer')).toEqual({ answer: '42', to: expect.stringMatching(/^page\s*$/) });
    await page.hangUp();
    await far.done();
  });

  it('data attached to a call is a header of the INVITE, and of the 200 that answers it', async () => {
    const far = await bench.far(
      ended(
        callee()
          .receive('INVITE', { 'X-Attached-Data': 'Name=Jane%20Doe&Phone=800-555-1212' })
          .reply(200, { sdp: kAnswer, headers: ['X-Attached-Data: agent=7'] })
          .receive('ACK'),
      ),
    );
    await page.call('2001', [
      { key: 'Name', value: 'Jane Doe' },
      { key: 'Phone', value: '800-555-1212' },
    ]);
    await page.waitUntilEstablished();
    if (client === 'grtc') expect(await page.page.evaluate('session.getData()')).toEqual([{ key: 'agent', value: '7' }]);
    await page.hangUp();
    await far.done();
  });

  it('data attached to a call that comes in reaches the page, and its own goes back in the 200', async () => {
    const far = await bench.far(
      ended(
        caller('1001')
          .invite({ sdp: kOffer, headers: ['X-Attached-Data: Name=Jane%20Doe&why=a%26b%3Dc'] })
          .expect(180)
          .expect(200, { 'X-Attached-Data': 'agent=1001' })
          .ack(),
      ),
    );
    await page.waitFor('onIncomingCall');
    const data = [{ key: 'Name', value: 'Jane Doe' }, { key: 'why', value: 'a&b=c' }];
    const theirs = client === 'grtc' ? '(openSession(), session.getData())' : 'client.incoming.offer.attacheddata';
    expect(await page.page.evaluate(theirs)).toEqual(data);
    const own = JSON.stringify([{ key: 'agent', value: '1001' }]);
    await page.evaluate(client === 'grtc' ? `(session.setData(${own}), session.acceptCall(true, false))` : `(client.data = ${own}, accept(true, false))`);
    await page.waitUntilEstablished();
    await page.hangUp();
    await far.done();
  });
});

describe('digits of a phone', () => {
  const world = worldFor({ tones: [kTone] });

  it.each(['PCMU/8000/1', 'opus/48000/2'])('sent as RFC 4733 beside %s are heard in the page as their two tones', async (codec) => {
    const [page, phone] = await Promise.all([world.party({ dn: '1001' }), world.phone('2001', 1_900, { codecs: [codec] })]);
    await phone.dial('1001');
    await page.answer();
    await waitForTone(page.page, 1_900);
    const shares = (): Promise<number[]> => page.page.evaluate<number[]>('window.probe.shares([770, 1336])');
    expect(Math.max(...(await shares()))).toBeLessThan(0.01);
    await phone.command('sndcode', '5555');
    await until('770 Hz and 1336 Hz', async () => (await shares()).every((share) => share > 0.05));
    await waitForTone(page.page, 1_900);
    await phone.hangUp();
    await page.waitFor('onPeerClosing');
  });
});
