// One scenario, one sentence: a gateway, a page on the wire and sipp as everything that is SIP.
import { expect, it } from 'vitest';
import type { Script } from './script';
import { Bench, type BenchOptions, type Far } from './sipp';
import { kPageOffer, type FromGateway, type Roap, type WirePage } from './wire_page';

export interface ScenarioOptions extends BenchOptions {
  dn?: string; // as which the page is registered; without it the page is anonymous
  features?: string[]; // extensions for which the page asks
  credentials?: boolean; // signs in with a password
}

/** The page's call with one far end. */
export class Call {
  constructor(
    readonly page: WirePage,
    readonly phone: Far,
    readonly peer: string,
  ) {}

  send(body: string): Promise<void> {
    return this.page.send(this.peer, body);
  }

  /** The page offers something else, and has its answer. */
  async renew(sdp = kPageOffer): Promise<Roap> {
    await this.page.offer(this.peer, sdp);
    return this.answered();
  }

  answered(): Promise<Roap> {
    return this.page.answered(this.peer);
  }

  /** The page has been told nothing more of the call: it would stand before the statistics, for which it asks. */
  async nothingIsLeft(): Promise<void> {
    await this.send('GET-STATS');
    await this.page.next(/^PUT-STATS/);
    expect(this.page.unread.filter(({ body }) => /^(SDP|BYE|INVITE|EVENT)/.test(body))).toEqual([]);
  }

  /** The page hangs up, and `phone` comes to the end of its script. */
  async hangUp(phone = this.phone): Promise<void> {
    await this.send('BYE');
    await phone.done();
  }

  /** The page hears that it is over. */
  async hungUp(): Promise<void> {
    await this.page.next(/^BYE/);
    await this.phone.done();
  }

  /** The page hears that it is over, and why. */
  async failed(): Promise<Roap> {
    const error = await this.page.error();
    await this.hungUp();
    return error;
  }
}

/** The far end that pages call. */
const kNumber = '2001';
/** One beside it. */
export const kTarget = '2002';

export class Cast {
  constructor(
    readonly bench: Bench,
    readonly page: WirePage,
    private readonly sentence: string,
  ) {}

  readonly far = (script: Script): Promise<Far> => this.bench.far(script, this.sentence);

  /** The page calls this far end. */
  readonly dial = async (script: Script, sdp?: string, more?: Partial<Roap>): Promise<Call> => {
    const call = new Call(this.page, await this.far(script), kNumber);
    await this.page.offer(kNumber, sdp, more);
    return call;
  };

  /** The page calls this far end, and is answered. */
  readonly inCall = async (script: Script, sdp?: string): Promise<Call & { answer: Roap }> => {
    const call = await this.dial(script, sdp);
    return Object.assign(call, { answer: await call.answered() });
  };

  /** The page is in a call with this far end, and there is another one, at kTarget. */
  readonly inCallBeside = async (script: Script, target: Script): Promise<{ call: Call; target: Far }> => {
    const fars = await this.bench.fars({ [kNumber]: script, [kTarget]: target });
    const call = new Call(this.page, fars[kNumber]!, kNumber);
    await this.page.offer(kNumber);
    await call.answered();
    return { call, target: fars[kTarget]! };
  };

  /** This far end calls the page, which rings. */
  readonly called = async (script: Script): Promise<Call & { offer: Roap }> => {
    const phone = await this.far(script);
    const { offer, peer } = await this.page.offered();
    return Object.assign(new Call(this.page, phone, peer), { offer });
  };

  /** This far end calls the page, which answers. */
  readonly answers = async (script: Script, more?: Partial<Roap>): Promise<Call & { offer: Roap }> => {
    const call = await this.called(script);
    await this.page.answerTo(call.offer, call.peer, kPageOffer, more);
    return call;
  };

  /** What has come for the page and nobody has asked for yet. */
  readonly unread = (pattern: RegExp): FromGateway[] => {
    return this.page.unread.filter(({ body }) => pattern.test(body));
  };
}

/** One without a page that is signed in. */
export function onBench(sentence: string, options: BenchOptions, play: (bench: Bench) => Promise<void>): void {
  it(sentence, async () => {
    const bench = await Bench.start(options);
    try {
      await play(bench);
    } finally {
      await bench.stop();
    }
  });
}

export function scenario(sentence: string, options: ScenarioOptions, play: (cast: Cast) => Promise<void>): void {
  onBench(sentence, options, async (bench) => play(new Cast(bench, await bench.page(options), sentence)));
}
