// Two gateways at one SIP server, made anew for each test, and pages in two browsers that find them in whatever way.
import { TestBrowser } from './browser';
import { Gateway } from './gateway';
import { WebParty, type PartyOptions } from './web_party';
import { WebServer } from './web_server';

export class TwoGateways {
  private gateways: Gateway[] = [];
  private readonly parties: WebParty[] = [];

  private constructor(
    readonly server: Gateway, // only its SIP server
    private readonly web: WebServer,
    private readonly browsers: TestBrowser[],
  ) {}

  /** A browser for each of the tones. */
  static async start(...tones: number[]): Promise<TwoGateways> {
    const [server, web, ...browsers] = await Promise.all([Gateway.start(), WebServer.start(), ...tones.map((tone) => TestBrowser.start({ tone }))]);
    return new TwoGateways(server, web, browsers);
  }

  /** Before each test. */
  async renew(): Promise<[Gateway, Gateway]> {
    const sip = { sip: { server: `sip:${this.server.sipServer};transport=udp` } };
    const pair = await Promise.all([Gateway.start(sip), Gateway.start(sip)]);
    this.gateways = pair;
    return pair;
  }

  /** A page in the browser with this number, with its microphone, for which `gateways` is where to sign in. */
  async open(gateways: string, browser: number, options: PartyOptions): Promise<WebParty> {
    const party = await WebParty.open(this.browsers[browser]!, this.web, { url: gateways }, options);
    this.parties.push(party);
    await party.enable();
    return party;
  }

  /** After each test; gateways that have been killed or stopped are no error. */
  async clear(): Promise<void> {
    await Promise.all(this.parties.splice(0).map((party) => party.stop()));
    await Promise.all(this.gateways.map((gateway) => gateway.program.stop()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.browsers.map((browser) => browser.stop()), this.web.stop()]);
    await this.server.stop();
  }
}

/** Pages that are signed in there. */
export const sessionsAt = (gateway: Gateway): Promise<number> => gateway.metric('sessions');
