// Grtc.Client in real browsers, against a real gateway: the configuration with its defaults and minimums, the media source, what
// offers are made of, logging, handlers. What pages send is read at a front that stands before the gateway.
import { describe, expect, it } from 'vitest';
import { waitForTone } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { MuteServer } from './support/mute_server';
import { until } from './support/wait';
import { WebParty, type PartyOptions } from './support/web_party';
import { worldFor } from './support/world';

const kTone = 600;

describe.each([kGrtc, kFirefox])('Grtc.Client, $browser', (contender) => {
  const world = worldFor({ tones: [kTone], contenders: [contender], front: true });

  /** A page that signs in through the world.front. */
  const party = (options: PartyOptions = {}): Promise<WebParty> => world.partyBehindFront(options);
  /** A page with a client, not signed in. */
  const opened = (configuration = {}): Promise<WebParty> =>
    WebParty.open(world.browsers[0]!, world.web, world.gateway, { configuration: { webrtc_gateway: world.front.url, ...configuration } });
  /** The error's name, if it is a Grtc.Error with a message. */
  const thrown = (page: WebParty, script: string): Promise<unknown> =>
    page.page.evaluate(`(() => { try { ${script}; return 'nothing'; } catch (e) { return e instanceof Grtc.Error && e.message ? e.name : String(e); } })()`);

  describe('configuration', () => {
    it('has the defaults of the guide; empty strings, null and undefined are defaults too', async () => {
      const page = await opened();
      const defaults = {
        webrtc_gateway: world.front.url,
        dtls_srtp: true,
        noanswer_timeout: 60_000,
        ice_timeout: 3_000,
        ice_optimization: false,
        polling_timeout: 30_000,
        ...{ sip_username: '', sip_password: '', stun_server: '', turn_server: '', turn_username: '', turn_password: '' },
      };
      const made = (more: string): Promise<unknown> => page.page.evaluate(`new Grtc.Client({ webrtc_gateway: '${world.front.url}', ${more} }).configuration`);
      expect(await made('')).toEqual(defaults);
      const names = Object.keys(defaults).filter((name) => name !== 'webrtc_gateway');
      for (const empty of [`''`, 'null', 'undefined']) expect(await made(names.map((name) => `${name}: ${empty}`).join()), empty).toEqual(defaults);
      await page.page.close();
    });

    it('keeps to the minimums, and takes numbers as text', async () => {
      const page = await opened();
      const made = (more: string, name: string): Promise<unknown> =>
        page.evaluate(`new Grtc.Client({ webrtc_gateway: '${world.front.url}', ${more} }).configuration.${name}`);
      expect(await made('ice_timeout: 10', 'ice_timeout')).toBe(1_000);
      expect(await made(`ice_timeout: '2500'`, 'ice_timeout')).toBe(2_500);
      expect(await made('polling_timeout: 1', 'polling_timeout')).toBe(10_000);
      expect(await made('polling_timeout: 0', 'polling_timeout')).toBe(0);
      expect(await made('noanswer_timeout: 5', 'noanswer_timeout')).toBe(5);
      expect(await made('sip_username: 1020', 'sip_username')).toBe('1020');
      await page.page.close();
    });

    it.each([
      ['none at all', 'undefined'],
      ['no gateway', '{}'],
      ['a gateway that is no HTTP URL', `{ webrtc_gateway: 'ftp://gateway' }`],
      ['a list with a malformed gateway', `{ webrtc_gateway: 'http://a:8080, nonsense' }`],
      ['a timeout that is no number', `{ webrtc_gateway: 'http://a', ice_timeout: 'soon' }`],
      ['a negative timeout', `{ webrtc_gateway: 'http://a', noanswer_timeout: -1 }`],
      ['a flag that is none', `{ webrtc_gateway: 'http://a', dtls_srtp: 'perhaps' }`],
      ['a malformed STUN server', `{ webrtc_gateway: 'http://a', stun_server: 'http://stun' }`],
      ['TURN without user and password', `{ webrtc_gateway: 'http://a', turn_server: 'turn.example.com:443' }`],
      ['a name that is no text', `{ webrtc_gateway: 'http://a', sip_username: {} }`],
    ])('%s throws CONFIGURATION_ERROR', async (_, configuration) => {
      const page = await opened();
      expect(await thrown(page, `new Grtc.Client(${configuration})`)).toBe('CONFIGURATION_ERROR');
      await page.page.close();
    });

    it('each client has an id of its own', async () => {
      const page = await opened();
      const ids = await page.page.evaluate<string[]>(`[1, 2].map(() => new Grtc.Client({ webrtc_gateway: '${world.front.url}' }).clientId)`);
      expect(new Set(ids).size).toBe(2);
      await page.page.close();
    });

    it('STUN and TURN servers reach the browser, which waits no longer for a mute one than ice_timeout', async () => {
      const mute = await MuteServer.start();
      const page = await party({
        configuration: {
          ice_timeout: 1_000,
          stun_server: `127.0.0.1:${mute.port}, 127.0.0.1:${mute.port}`,
          turn_server: `127.0.0.1:${mute.port},127.0.0.1:${mute.port}?transport=tcp`,
          ...{ turn_username: 'me', turn_password: 'secret' },
        },
      });
      const before = Date.now();
      await page.call('self');
      await page.waitFor('onRemoteStream');
      expect(Date.now() - before).toBeLessThan(4_000); // a browser alone waits 10 s
      const servers = await page.page.evaluate<RTCIceServer[]>('window.probe.connections.at(-1).getConfiguration().iceServers');
      expect(servers.flatMap(({ urls }) => urls)).toEqual([
        ...[`stun:127.0.0.1:${mute.port}`, `stun:127.0.0.1:${mute.port}`],
        ...[`turn:127.0.0.1:${mute.port}`, `turn:127.0.0.1:${mute.port}?transport=tcp`],
      ]);
      expect(servers.at(-1)).toMatchObject({ username: 'me', credential: 'secret' });
      expect(mute.asked).toBeGreaterThan(0);
      await page.hangUp();
      mute.stop();
    });
  });

  describe('the media source', () => {
    /** What enableMediaSource with these arguments comes to: the kinds of its tracks, or why not. */
    const enabled = (page: WebParty, parameters: string): Promise<unknown> =>
      page.page.evaluate(`new Promise((done) => {
        const settle = (value) => { client.onMediaSuccess.empty(); client.onMediaFailure.empty(); done(value); };
        client.onMediaSuccess.add(({ stream }) => { window.source = stream; settle(stream.getTracks().map((t) => t.kind).sort().join()); });
        client.onMediaFailure.add(({ message }) => settle({ failed: message }));
        client.enableMediaSource(${parameters});
      })`);
    const width = (page: WebParty): Promise<unknown> => page.evaluate('source.getVideoTracks()[0].getSettings().width');

    it('is audio and video by default; booleans choose; it is stopped by disableMediaSource', async () => {
      const page = await opened();
      expect(await enabled(page, '')).toBe('audio,video');
      expect(await enabled(page, 'true, false')).toBe('audio');
      expect(await enabled(page, 'false, true')).toBe('video');
      expect(await enabled(page, 'undefined, null')).toBe('audio,video');
      await page.evaluate('client.disableMediaSource()');
      expect(await page.page.evaluate('source.getTracks().every((t) => t.readyState === "ended")')).toBe(true);
      await page.page.close();
    });

    it('takes constraints of today and of long ago', async () => {
      const page = await opened();
      expect(await enabled(page, 'true, { width: { exact: 320 } }')).toBe('audio,video');
      expect(await width(page)).toBe(320);
      await page.evaluate('client.disableMediaSource()'); // Chromium scales no camera up that is open already
      expect(await enabled(page, 'false, { mandatory: { minWidth: 360, maxWidth: 640 } }')).toBe('video');
      expect(await width(page)).toBeGreaterThanOrEqual(360);
      expect(await enabled(page, 'false, { optional: [{ minWidth: 320 }] }')).toBe('video');
      expect(await enabled(page, '{ optional: [{ googEchoCancellation: false }] }, false')).toBe('audio');
      await page.page.close();
    });

    it('that cannot be had ends in onMediaFailure with a message; without WebRTC it throws', async () => {
      const page = await opened();
      await page.evaluate('client.enableMediaSource(false, { mandatory: { minWidth: 100000 } })');
      expect(String((await page.waitFor('onMediaFailure'))['message'])).not.toBe('');
      await page.evaluate('client.enableMediaSource(false, false)');
      expect(String((await page.waitFor('onMediaFailure'))['message'])).not.toBe('');
      expect(await thrown(page, 'window.RTCPeerConnection = undefined; client.enableMediaSource()')).toBe('WEBRTC_NOT_SUPPORTED_ERROR');
      expect(await page.evaluate('Grtc.isWebrtcSupported()')).toBe(false);
      await page.page.close();
    });

    it('enabled anew in a call is what the far end hears and sees from then on', async () => {
      const page = await party({ video: true });
      await page.call('self');
      await waitForTone(page.page, kTone);
      await page.evaluate('client.enableMediaSource(true, false)');
      await page.waitFor('onMediaSuccess');
      await waitForTone(page.page, kTone);
      await page.hangUp();
    });
  });

  describe('offers', () => {
    const offered = (): { sdp: string; Candidates: { candidate: string }[] } => world.front.sent('OFFER').at(-1)!;

    it.each(['filterIceCandidates', 'filterICECandidates'])('%s chooses the candidates; a call without any works', async (name) => {
      const page = await party();
      await page.call('self');
      await waitForTone(page.page, kTone);
      expect(offered().Candidates.length).toBeGreaterThan(0); // all, by default
      await page.hangUp();
      await page.evaluate(`client.${name} = (Candidates) => { window.offered = Candidates; return []; }`);
      await page.call('self');
      await waitForTone(page.page, kTone);
      expect(offered().Candidates).toEqual([]);
      expect(offered().sdp).not.toContain('a=candidate');
      expect(await page.page.evaluate('offered.every(({ candidate }) => / typ host/.test(candidate))')).toBe(true);
      await page.hangUp();
    });

    it("the guide's own filter takes out private addresses and TCP", async () => {
      const page = await party();
      await page.evaluate(`client.filterIceCandidates = function (Candidates) {
        const outCandidates = [];
        for (let i = 0; i < Candidates.length; i++) {
          const strCandidate = JSON.stringify(Candidates[i]);
          if (strCandidate.match(/ 192\\.168\\.d{1,3}\\.d{1,3} \\d+ typ host/i) === null && strCandidate.match(/ tcp \\d+/i) === null) {
            outCandidates.push(Candidates[i]);
          }
        }
        return outCandidates;
      }`);
      await page.call('self');
      await waitForTone(page.page, kTone);
      expect(offered().Candidates.length).toBeGreaterThan(0);
      expect(offered().Candidates.filter(({ candidate }) => / tcp /i.test(candidate))).toEqual([]);
      await page.hangUp();
    });

    it.each([
      ['', 500],
      ['client.setVideoBandwidth(300)', 300],
      ['client.setVideoBandwidth(0)', 0],
    ])('setVideoBandwidth: after "%s" the limit is %i', async (script, kbps) => {
      const page = await party({ video: true });
      if (script) await page.evaluate(script);
      await page.call('self');
      await page.waitFor('onRemoteStream');
      const video = offered().sdp.slice(offered().sdp.indexOf('m=video'));
      expect(/^b=AS:(\d+)/m.exec(video)?.[1]).toBe(kbps === 0 ? undefined : String(kbps));
      expect(offered().sdp.slice(0, offered().sdp.indexOf('m=video'))).not.toContain('b=AS');
      await page.hangUp();
    });

    it('setMediaConstraintsForOffer and ForAnswer say what calls have when their methods do not', async () => {
      const page = await party({ video: true });
      const makeOffer = async (parameters: string): Promise<void> => {
        const before = world.front.sent('OFFER').length;
        await page.evaluate(`(openSession(), session.makeOffer('self'${parameters}))`);
        await until('an OFFER', () => world.front.sent('OFFER').length > before);
        await page.hangUp();
      };
      await makeOffer('');
      expect(offered().sdp).toContain('m=video');
      await page.evaluate('client.setMediaConstraintsForOffer(true, false)');
      await makeOffer('');
      expect(offered().sdp).not.toContain('m=video');
      await makeOffer(', true, true');
      expect(offered().sdp).toContain('m=video');
      await page.evaluate('client.setMediaConstraintsForOffer()');
      await makeOffer('');
      expect(offered().sdp).toContain('m=video');

      const callee = await party({ dn: '1002', video: true });
      await callee.evaluate('client.setMediaConstraintsForAnswer(true, false)');
      await page.call('1002');
      await callee.waitFor('onIncomingCall');
      await callee.evaluate('(openSession(), session.acceptCall())');
      await waitForTone(callee.page, kTone);
      expect(await callee.page.evaluate('[session.hasAudioEnabled(), session.hasVideoEnabled()]')).toEqual([true, false]);
      await callee.hangUp();
    });

    it('setRenewSessionOnNeed: an offer in a call makes a new peer connection, or keeps the one there is', async () => {
      const page = await party();
      await page.call('self');
      await waitForTone(page.page, kTone);
      const connections = (): Promise<number> => page.page.evaluate<number>('window.probe.connections.length');
      const renegotiate = async (): Promise<number> => {
        const answers = world.front.sent('OK').length;
        await page.evaluate('session.makeOffer()');
        await until('the offer is answered', () => world.front.sent('OK').length > answers);
        await waitForTone(page.page, kTone);
        return connections();
      };
      const first = await connections();
      expect(await renegotiate()).toBe(first + 1); // by default
      await page.evaluate('client.setRenewSessionOnNeed(false)');
      expect(await renegotiate()).toBe(first + 1);
      await page.evaluate('client.setRenewSessionOnNeed(true)');
      expect(await renegotiate()).toBe(first + 2);
      await page.hangUp();
    });
  });

  it('setLogLevel: a line is logged at its level and above, with the exception\'s message', async () => {
    const page = await opened();
    const lines = async (level: string): Promise<string[]> => {
      const log = world.browsers[0]!.console;
      log.length = 0;
      await page.evaluate(`client.setLogLevel(Grtc.LOG_LEVEL_${level})`);
      for (const name of ['Error', 'Notice', 'Info', 'Debug']) await page.evaluate(`client.log${name}('as ${name}', new Error('because'))`);
      await page.evaluate(`console.log('the end')`);
      await until('the end is logged', () => log.includes('the end'));
      return log.filter((line) => line.includes('because')).map((line) => /as (\w+)/.exec(line)![1]!);
    };
    expect(await lines('NONE')).toEqual([]);
    expect(await lines('ERROR')).toEqual(['Error']);
    expect(await lines('NOTICE')).toEqual(['Error', 'Notice']);
    expect(await lines('INFO')).toEqual(['Error', 'Notice', 'Info']);
    expect(await lines('DEBUG')).toEqual(['Error', 'Notice', 'Info', 'Debug']);
    // INFO is the level of a new client.
    world.browsers[0]!.console.length = 0;
    await page.evaluate(`(() => {
      const fresh = new Grtc.Client({ webrtc_gateway: '${world.front.url}' });
      fresh.logInfo('shown');
      fresh.logDebug('hidden');
      console.log('the end');
    })()`);
    await until('the end is logged', () => world.browsers[0]!.console.includes('the end'));
    const shown = world.browsers[0]!.console.join('\n');
    expect(shown).toContain('shown');
    expect(shown).not.toContain('hidden');
    await page.page.close();
  });

  it('handlers: several run in their order, each once however often it was added, and false stops the later ones', async () => {
    const page = await opened();
    await page.evaluate(`(() => {
      window.order = [];
      const first = () => { order.push('first'); };
      client.onConnect.add(first);
      client.onConnect.add(first);
      client.onConnect.add(() => { order.push('throws'); throw new Error('a page may be wrong'); });
      client.onConnect.add(() => { order.push('second'); return false; });
      client.onConnect.add(() => { order.push('never'); });
      client.connect();
    })()`);
    await page.waitFor('onConnect');
    await until('the handlers have run', async () => (await page.page.evaluate<string[]>('order')).length >= 3);
    expect(await page.page.evaluate('order')).toEqual(['first', 'throws', 'second']);
    await page.evaluate('client.disconnect()');
    expect(await page.waitFor('onDisconnect')).toHaveProperty('message');
    await page.page.close();
  });
});
