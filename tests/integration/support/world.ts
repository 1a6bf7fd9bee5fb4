// Everything that a scenario needs, started together and ended together: SIP server, gateway, web server, browsers, phones.
import { afterAll, afterEach, beforeAll } from 'vitest';
import { Phone, type PhoneOptions } from './baresip';
import { TestBrowser } from './browser';
import { kGrtc, type Contender } from './contenders';
import { Front } from './front';
import { Gateway, merge, type Configuration } from './gateway';
import { Kamailio } from './kamailio';
import { WebParty, type PartyOptions } from './web_party';
import { WebServer } from './web_server';

export type ServerKind = 'embedded' | 'kamailio'; // Kamailio asks for digest authentication, the embedded server does not

export interface WorldOptions {
  server?: ServerKind;
  transport?: 'udp' | 'tcp'; // of the gateway's SIP leg
  contactsMax?: number; // of one account at Kamailio
  tones?: number[]; // a browser for each
  contenders?: Contender[]; // of each browser; the first one stands for those that are not named
  configuration?: Configuration;
  front?: boolean; // something that stands before the gateway
}

/** A world for the tests of the describe() that this stands in: pages and phones go after each of them, the servers after the last. */
export function worldFor(options: WorldOptions = {}): World {
  const world = new World(options);
  beforeAll(() => world.begin());
  afterEach(() => world.clear());
  afterAll(() => world.stop());
  return world;
}

export class World {
  gateway!: Gateway; // this and what follows: once it has begun
  web!: WebServer;
  browsers: TestBrowser[] = [];
  kamailio: Kamailio | undefined;
  private standIn: Front | undefined;
  private readonly contenders: Contender[];
  private readonly parties: WebParty[] = [];
  private readonly phones: Phone[] = [];

  constructor(private readonly options: WorldOptions) {
    this.contenders = this.tones.map((_, i) => options.contenders?.[i] ?? options.contenders?.[0] ?? kGrtc);
  }

  static async start(options: WorldOptions = {}): Promise<World> {
    const world = new World(options);
    await world.begin();
    return world;
  }

  async begin(): Promise<void> {
    const { server, transport = 'udp', contactsMax = 1, configuration = {}, front } = this.options;
    if (server === 'kamailio') this.kamailio = await Kamailio.start({ authentication: true, contactsMax });
    const sip: Configuration = this.kamailio ? { sip: { server: `sip:${this.kamailio.address};transport=${transport}` } } : {};
    [this.gateway, this.web, ...this.browsers] = await Promise.all([
      Gateway.start(merge(sip, configuration)),
      WebServer.start(),
      ...this.tones.map((tone, i) => TestBrowser.start({ tone, kind: this.contenders[i]!.browser })),
    ]);
    if (front) this.standIn = await Front.start(this.gateway);
  }

  /** host:port of the SIP server. */
  get sipServer(): string {
    return this.kamailio?.address ?? this.gateway.sipServer;
  }

  get front(): Front {
    if (!this.standIn) throw new Error('this world has no front');
    return this.standIn;
  }

  async phone(account: string, tone: number, options: Partial<PhoneOptions> = {}): Promise<Phone> {
    const password = this.kamailio ? { password: Kamailio.passwordOf(account) } : {};
    const phone = await Phone.start({ account, tone, server: this.sipServer, ...password, ...options });
    this.phones.push(phone);
    return phone;
  }

  /** A page in the browser with this number. */
  async party(options: PartyOptions = {}, browser = 0): Promise<WebParty> {
    const credentials = this.kamailio && options.dn ? { sip_username: options.dn, sip_password: Kamailio.passwordOf(options.dn) } : {};
    const configuration = { ...credentials, ...options.configuration };
    const { client } = this.contenders[browser]!;
    const party = await WebParty.start(this.browsers[browser]!, this.web, this.gateway, { client, ...options, configuration });
    this.parties.push(party);
    return party;
  }

  /** The same, by way of the front. */
  partyBehindFront(options: PartyOptions = {}, browser = 0): Promise<WebParty> {
    return this.party({ ...options, configuration: { webrtc_gateway: this.front.url, ...options.configuration } }, browser);
  }

  /** Between two tests of a file: pages and phones go, the servers stay. */
  async clear(): Promise<void> {
    this.standIn?.reset();
    await Promise.all([...this.parties.splice(0).map((party) => party.stop()), ...this.phones.splice(0).map((phone) => phone.stop())]);
  }

  async stop(): Promise<void> {
    await this.clear();
    await Promise.all([...this.browsers.map((browser) => browser.stop()), this.web?.stop(), this.standIn?.stop()]);
    await this.gateway?.stop();
    await this.kamailio?.stop();
  }

  private get tones(): number[] {
    return this.options.tones ?? [600];
  }
}
