// The Grtc API in a real browser, against a real gateway: what the guide says of each method, exceptions and limits included.
import { describe, expect, it } from 'vitest';
import { waitForSilence, waitForTone } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { hearEachOther } from './support/talk';
import { until } from './support/wait';
import { WebParty } from './support/web_party';
import { worldFor } from './support/world';

const kLeft = 600;
const kRight = 1_500;

describe.each([kGrtc, kFirefox])('the Grtc API, $browser', (contender) => {
  const world = worldFor({ tones: [kLeft, kRight], contenders: [contender, contender] });

  /** What the script throws: the error's name, and whether it is a Grtc.Error with a message. */
  const thrown = (party: WebParty, script: string): Promise<unknown> =>
    party.page.evaluate(
      `(() => { try { ${script}; return 'nothing'; } catch (e) { return e instanceof Grtc.Error && e.message ? e.name : String(e); } })()`,
    );

  it('statics: log levels ascend, the browser is known and supported', async () => {
    const page = await WebParty.open(world.browsers[0]!, world.web, world.gateway);
    const levels = await page.page.evaluate<number[]>(`['NONE', 'ERROR', 'NOTICE', 'INFO', 'DEBUG'].map((name) => Grtc['LOG_LEVEL_' + name])`);
    expect([...levels].sort((a, b) => a - b)).toEqual(levels);
    expect(new Set(levels).size).toBe(5);
    expect(await page.evaluate('Grtc.getWebrtcDetectedBrowser()')).toBe(contender.browser === 'firefox' ? 'firefox' : 'chrome');
    expect(Number(await page.evaluate('Grtc.getWebrtcDetectedVersion()'))).toBeGreaterThan(100);
    expect(await page.evaluate('Grtc.isWebrtcSupported() && Grtc.isWebRTCSupported()')).toBe(true);
    await page.page.close();
  });

  it('errors carry a code and a message; views must be media elements; there must be a call to act on', async () => {
    const page = await world.party({ dn: '1001' });
    expect(await thrown(page, 'new Grtc.Client({})')).toBe('CONFIGURATION_ERROR');
    expect(await thrown(page, `throw new Grtc.Error(Grtc.GRTC_WARN, 'a warning')`)).toBe('GRTC_WARN');
    const codes = ['CONFIGURATION', 'CONNECTION', 'WEBRTC_NOT_SUPPORTED', 'INVALID_STATE', 'NOT_READY', 'GRTC', 'WEBRTC'].map((n) => `${n}_ERROR`);
    const named = `${JSON.stringify([...codes, 'GRTC_WARN'])}.every((name) => new Grtc.Error(Grtc[name], 'x').name === Grtc[name])`;
    expect(await page.page.evaluate(named)).toBe(true);
    expect(await thrown(page, 'client.setViewFromStream(document.body, new MediaStream())')).toBe('NOT_READY_ERROR');
    expect(await thrown(page, `client.setViewFromStream(document.createElement('video'), null)`)).toBe('NOT_READY_ERROR');
    const inFrame = `document.body.appendChild(document.createElement('iframe')).contentDocument.createElement('video')`;
    expect(await thrown(page, `client.setViewFromStream(${inFrame}, new MediaStream())`), 'a view in another window').toBe('nothing');
    await page.evaluate('openSession()');
    for (const call of ['acceptCall()', 'rejectCall()', 'terminateCall()', 'holdCall()', 'resumeCall()', 'updateCall(true, true)']) {
      expect(await thrown(page, `session.${call}`), call).toBe('INVALID_STATE_ERROR');
    }
    expect(await page.evaluate(`session.sendDTMF('1')`)).toBe(-1);
    expect(await page.page.evaluate('[session.hasAudioEnabled(), session.hasVideoEnabled(), session.isEstablished()]')).toEqual([false, false, false]);
  });

  it('states of a call, a remote stream that can be shown, and mute', async () => {
    const [left, right] = await Promise.all([world.party({ dn: '1001' }, 0), world.party({ dn: '1002' }, 1)]);
    await left.page.evaluate('client.onMediaSuccess');
    await left.call('1002');
    expect(await left.evaluate('session.isEstablished()')).toBe(false);
    await right.answer();
    await left.waitUntilEstablished();
    expect(await left.waitFor('onRemoteStream')).toEqual({ stream: 'stream' });
    expect(await left.page.evaluate('[session.hasAudioEnabled(), session.hasVideoEnabled()]')).toEqual([true, false]);
    await hearEachOther(left, right);
    await left.evaluate('session.updateCall(false)');
    await waitForSilence(right.page);
    await left.evaluate('session.updateCall(true)');
    await waitForTone(right.page, kLeft);
    await left.evaluate('session.terminateCall()');
    await right.waitFor('onPeerClosing');
    expect(await thrown(left, 'session.terminateCall()')).toBe('INVALID_STATE_ERROR');
  });

  it('closeSession without BYE ends the page\'s side alone; with BYE the other side hears of it', async () => {
    const [left, right] = await Promise.all([world.party({ dn: '1001' }, 0), world.party({ dn: '1002' }, 1)]);
    await left.call('1002');
    await right.answer();
    await waitForTone(right.page, kLeft);
    await right.evaluate('session.closeSession()');
    await until('the page has no call', async () => !(await right.evaluate('session.isEstablished()')));
    expect(await left.evaluate('session.isEstablished()')).toBe(true);
    expect((await left.events()).map((event) => event.name)).not.toContain('onPeerClosing');
    await left.evaluate('session.closeSession(true)');
  });

  it('connect, register and disconnect, with their events and exceptions', async () => {
    const configuration = { sip_username: '1003', sip_password: 'unused' };
    const page = await WebParty.open(world.browsers[0]!, world.web, world.gateway, { configuration });
    expect(await thrown(page, 'client.disconnect()')).toBe('INVALID_STATE_ERROR');
    await page.evaluate('client.connect()');
    expect(await page.waitFor('onConnect')).toHaveProperty('message');
    await page.evaluate('client.register()'); // signs the anonymous one out; the DN is sip_username
    expect(await page.waitFor('onRegister')).toHaveProperty('message');
    const [other] = await Promise.all([world.party({ dn: '1001' }, 1)]);
    await other.call('1003');
    expect((await page.waitFor('onIncomingCall'))['peer']).toContain('1001');
    await page.reject();
    await other.waitFor('onPeerClosing');
    await page.evaluate('client.disconnect()');
    expect(await page.waitFor('onDisconnect')).toHaveProperty('message');
    await other.forgetEvents();
    await other.call('1003');
    expect(await other.waitFor('onGatewayError')).toHaveProperty('sipStatus');
    await page.page.close();
  });

  it('makeCall makes a call, and makeOffer without arguments renews it', async () => {
    const [left, right] = await Promise.all([world.party({ dn: '1001' }, 0), world.party({ dn: '1002' }, 1)]);
    await left.evaluate(`(openSession(), session.makeCall('1002', true, false))`);
    await right.answer();
    await hearEachOther(left, right);
    const connections = (): Promise<number> => left.page.evaluate<number>('window.probe.connections.length');
    const before = await connections();
    await left.evaluate('session.makeOffer()');
    await until('a new connection', async () => (await connections()) > before);
    await left.waitUntilEstablished();
    await hearEachOther(left, right);
    await right.hangUp();
    await left.waitFor('onPeerClosing');
  });

  it('sendDTMF keeps to its limits', async () => {
    const page = await world.party({ dn: '1001' });
    await page.call('echo');
    await waitForTone(page.page, kLeft);
    const send = (tones: string, options = {}): Promise<unknown> => page.evaluate(`session.sendDTMF(${JSON.stringify(tones)}, ${JSON.stringify(options)})`);
    expect(await send('09*#ABCD')).toBe(0);
    expect(await send('5', { duration: 70, tonegap: 50 })).toBe(0);
    expect(await send('5', { duration: 69 })).toBe(-1);
    expect(await send('5', { duration: 6_001 })).toBe(-1);
    expect(await send('5', { tonegap: 49 })).toBe(-1);
    expect(await send('E')).toBe(-1);
    expect(await send('')).toBe(-1);
    await page.hangUp();
  });
});
