// A page of a test: one user of the Grtc API, or of the client as it is in the field, signed in at a gateway, as tests read and drive it.
import { waitForTone, type TestBrowser, type TestPage } from './browser';
import type { ClientKind } from './contenders';
import type { Gateway } from './gateway';
import type { Talker } from './talk';
import type { WebServer } from './web_server';
import { kDeadline, until } from './wait';

export interface PageEvent {
  name: string;
  data: Record<string, unknown> | null;
}

export interface PartyOptions {
  dn?: string; // without one: anonymous
  audio?: boolean;
  video?: boolean;
  configuration?: Record<string, unknown>; // of the client
  client?: ClientKind; // grtc without
}

const kPages: Record<ClientKind, string> = { grtc: '/call.html', 'field-old': '/field.html', 'field-new': '/field.html' };

export class WebParty implements Talker {
  private constructor(
    readonly page: TestPage,
    readonly tone: number,
    private readonly options: PartyOptions,
  ) {}

  /** Opens the page, and no more. */
  static async open(browser: TestBrowser, web: Pick<WebServer, 'url'>, gateway: Pick<Gateway, 'url'>, options: PartyOptions = {}): Promise<WebParty> {
    const client = options.client ?? 'grtc';
    const party = new WebParty(await browser.open(web.url(kPages[client])), browser.tone, options);
    const variant = client === 'grtc' ? {} : { variant: client.slice('field-'.length) };
    await party.evaluate(`open(${JSON.stringify({ webrtc_gateway: gateway.url, ...variant, ...options.configuration })})`);
    return party;
  }

  /** Opens the page, gets the microphone, and signs in. */
  static async start(browser: TestBrowser, web: Pick<WebServer, 'url'>, gateway: Pick<Gateway, 'url'>, options: PartyOptions = {}): Promise<WebParty> {
    const party = await WebParty.open(browser, web, gateway, options);
    await party.enable();
    await party.signIn();
    return party;
  }

  /** Gets the microphone, and the camera if it has one. */
  async enable(): Promise<void> {
    await this.evaluate(`enable(${this.options.audio ?? true}, ${this.options.video ?? false})`);
    await this.waitFor('onMediaSuccess');
  }

  async signIn(): Promise<void> {
    const { dn } = this.options;
    await this.evaluate(dn ? `client.register(${JSON.stringify(dn)})` : 'client.connect()');
    await this.waitFor(dn ? 'onRegister' : 'onConnect');
  }

  call = (peer: string, data?: { key: string; value: string }[]): Promise<unknown> =>
    this.evaluate(`call(${JSON.stringify(peer)}, ${this.options.audio ?? true}, ${this.options.video ?? false}, ${JSON.stringify(data ?? null)})`);
  dial = (number: string): Promise<unknown> => this.call(number);
  accept = (): Promise<unknown> => this.evaluate(`accept(${this.options.audio ?? true}, ${this.options.video ?? false})`);
  reject = (): Promise<unknown> => this.evaluate('reject()');
  hangUp = (): Promise<unknown> => this.evaluate('session.closeSession(true)');
  hold = (): Promise<unknown> => this.evaluate('session.holdCall()');
  resume = (): Promise<unknown> => this.evaluate('session.resumeCall()');

  get client(): ClientKind {
    return this.options.client ?? 'grtc';
  }

  /** It rings, and is accepted; gives what the page was told of the call. */
  async answer(): Promise<Record<string, unknown>> {
    const call = await this.waitFor('onIncomingCall');
    await this.accept();
    return call;
  }

  waitForTone(frequency: number, deadline?: number): Promise<void> {
    return waitForTone(this.page, frequency, deadline);
  }

  evaluate<T = unknown>(script: string): Promise<T> {
    return this.page.evaluate<T>(`(() => { const value = ${script}; return value instanceof Object ? undefined : value; })()`);
  }

  events(): Promise<PageEvent[]> {
    return this.page.evaluate<PageEvent[]>('events');
  }

  /** The next event of this name that has not been waited for; it is taken out. */
  async waitFor(name: string, deadline = kDeadline): Promise<Record<string, unknown>> {
    const found = await until(
      `${this.name} gets ${name}`,
      () =>
        this.page.evaluate<{ data: Record<string, unknown> | null } | undefined>(
          `(() => { const at = events.findIndex((e) => e.name === ${JSON.stringify(name)}); return at < 0 ? undefined : events.splice(at, 1)[0]; })()`,
        ),
      deadline,
    ).catch(async (error: Error) => {
      throw new Error(`${error.message}; it got ${JSON.stringify(await this.events().catch(() => 'nothing'))}`);
    });
    return found.data ?? {};
  }

  established(): Promise<boolean> {
    return this.evaluate<boolean>('session.isEstablished()');
  }

  /** The call is set up, for this side. */
  async waitUntilEstablished(): Promise<void> {
    await until(`the call of ${this.name} is established`, () => this.established());
  }

  forgetEvents(): Promise<unknown> {
    return this.page.evaluate('void (events.length = 0)');
  }

  /** Signs out and closes the page. Fails if a client in the field would have tripped over something that the gateway said. */
  async stop(): Promise<void> {
    const leaves = await this.evaluate('client.disconnect()').then(
      () => true,
      () => false,
    );
    // What it asks for on its way out would end with its page; ours sees to that itself.
    if (leaves && this.client !== 'grtc') await this.waitFor('onDisconnect', 3_000).catch(() => undefined);
    const problems = this.client === 'grtc' ? [] : await this.page.evaluate<string[]>('client.problems');
    await this.page.close();
    if (problems.length > 0) throw new Error(`${this.name}: what clients in the field cannot take: ${problems.join('; ')}`);
  }

  private get name(): string {
    return `page ${this.options.dn ?? '(anonymous)'} (${this.client}, ${this.page.browser})`;
  }
}
