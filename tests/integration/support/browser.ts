// A browser for each party of a call, whose fake microphone plays that party's tone; and what its pages hear and see.
//
// Starting one takes seconds, so a browser that is stopped waits for the next test that wants its kind and tone. Each
// test has a context of its own in it: nothing of a page before is left but the program.
import { readFileSync } from 'node:fs';
import { startChromium } from './chromium';
import { startFirefox } from './firefox';
import type { BrowserKind, TestPage } from './test_page';
import { plays, type Tone } from './tone';
import { kDeadline, until } from './wait';

const kProbe = readFileSync(new URL('probe.js', import.meta.url), 'utf8');

export type { BrowserKind, TestPage } from './test_page';

export interface BrowserOptions {
  tone: number; // Hz that its microphone hears
  kind?: BrowserKind;
  secure?: SecureNames; // Chromium only; such a browser is not used again
}

/** Names that lead to this machine, and the certificate that is accepted for them: the SHA-256 of its public key. */
export interface SecureNames {
  readonly names: readonly string[];
  readonly publicKeyHash: string;
}

/** What pages complained about. */
export interface Reports {
  readonly errors: string[];
  readonly console: string[];
}

export interface NativeContext {
  open(url: string): Promise<TestPage>;
  close(): Promise<void>;
}
export interface NativeBrowser {
  version(): Promise<string>;
  context(reports: Reports): Promise<NativeContext>;
  stop(): Promise<void>;
}

// The pool outlives a test file: the next one that this process runs has it too.
interface Pool {
  crosspointIdleBrowsers?: Map<string, NativeBrowser[]>;
}
const idle = ((globalThis as Pool).crosspointIdleBrowsers ??= new Map<string, NativeBrowser[]>());
const kIdleMax = 4; // programs that wait, in each process; the machine has little memory

export class TestBrowser implements Reports {
  readonly errors: string[] = []; // uncaught in any page
  readonly console: string[] = [];
  private context: NativeContext | undefined;

  private constructor(
    private readonly browser: NativeBrowser,
    readonly kind: BrowserKind,
    readonly tone: number,
    private readonly isForAll: boolean,
  ) {}

  static async start({ tone, kind = 'chromium', secure }: BrowserOptions): Promise<TestBrowser> {
    const waiting = secure ? undefined : idle.get(`${kind} ${tone}`)?.pop();
    const browser = waiting ?? (await (kind === 'firefox' ? startFirefox(tone, kProbe) : startChromium(tone, kProbe, secure)));
    const test = new TestBrowser(browser, kind, tone, secure === undefined);
    test.context = await browser.context(test);
    return test;
  }

  version(): Promise<string> {
    return this.browser.version();
  }

  open(url: string): Promise<TestPage> {
    return this.context!.open(url);
  }

  /** Its pages are closed. */
  async stop(): Promise<void> {
    await this.context?.close();
    const key = `${this.kind} ${this.tone}`;
    const waiting = [...idle.values()].reduce((sum, browsers) => sum + browsers.length, 0);
    if (waiting >= kIdleMax || !this.isForAll) await this.browser.stop();
    else idle.set(key, [...(idle.get(key) ?? []), this.browser]);
  }
}

interface Probe {
  tone(): Tone | undefined;
  level(): Promise<{ energy: number; seconds: number }>;
  video(): Promise<{ frames: number; codec?: string }>;
  audioCodec(): Promise<string | undefined>;
  energy(): Promise<number>;
  states(): string[];
}
declare global {
  interface Window {
    probe: Probe;
  }
}

/** What a page must have to be listened to. */
type Heard = Pick<TestPage, 'evaluate'> & { readonly browser?: BrowserKind | unknown };

export const heardIn = (page: Heard): Promise<Tone | undefined> => page.evaluate(() => window.probe.tone());
export const videoIn = (page: Heard): Promise<{ frames: number; codec?: string }> => page.evaluate(() => window.probe.video());
export const audioCodecIn = (page: Heard): Promise<string | undefined> => page.evaluate(() => window.probe.audioCodec());

/**
 * The page hears this tone, clearly. In Firefox, where WebAudio stands still without a sound device, it hears something
 * as loud as a tone: the frequency is for the other end to tell.
 */
export async function waitForTone(page: Heard, frequency: number, deadline = kDeadline): Promise<void> {
  let heard: unknown;
  const measured = page.browser === 'firefox' ? loudness(page) : undefined;
  await until(
    `the page hears ${frequency} Hz`,
    async () => {
      if (measured) return ((heard = await measured()) as number) > 0.02;
      const tone = await heardIn(page);
      heard = tone;
      return plays(tone, frequency);
    },
    deadline,
  ).catch(async (error: Error) => {
    const states = await page.evaluate(() => window.probe.states());
    throw new Error(`${error.message}; it heard ${JSON.stringify(heard)}, connections ${states.join(' ') || 'none'}`);
  });
}

/** Each call gives the loudness (RMS) of what was played since a fifth of a second or more ago; -1 before that. */
function loudness(page: Heard): () => Promise<number> {
  let last = { energy: 0, seconds: 0 };
  let rms = -1;
  return async () => {
    const now = await page.evaluate(() => window.probe.level());
    const seconds = now.seconds - last.seconds;
    if (seconds < 0 || last.seconds === 0) {
      last = now; // another connection, or the first look
    } else if (seconds > 0.2) {
      rms = Math.sqrt(Math.max(0, now.energy - last.energy) / seconds);
      last = now;
    }
    return rms;
  };
}

/**
 * Sound is played again. After a hold on one and the same peer connection Chromium plays what arrives, but gives WebAudio silence, so
 * that waitForTone() would wait for ever.
 */
export async function waitForSound(page: Heard, deadline = kDeadline): Promise<void> {
  const energy = (): Promise<number> => page.evaluate(() => window.probe.energy());
  const before = await energy();
  await until('the page plays sound', async () => (await energy()) > before + 0.05, deadline);
}

/** Nothing is heard any more. */
export async function waitForSilence(page: Heard, deadline = kDeadline): Promise<void> {
  const energy = (): Promise<number> => page.evaluate(() => window.probe.energy());
  let last = -1;
  let since = 0;
  const stands = async (): Promise<boolean> => {
    const now = await energy();
    if (Math.abs(now - last) > 0.000_05) [last, since] = [now, Date.now()];
    return Date.now() - since > 300;
  };
  const quiet = async (): Promise<boolean> => ((await heardIn(page))?.rms ?? 0) < 0.003;
  await until('the page hears nothing', page.browser === 'firefox' ? stands : quiet, deadline);
}

/** `more` further video frames are decoded. */
export async function waitForFrames(page: Heard, more: number, deadline = kDeadline): Promise<{ frames: number; codec?: string }> {
  const before = (await videoIn(page)).frames;
  return until(
    `${more} video frames`,
    async () => {
      const video = await videoIn(page);
      return video.frames >= before + more ? video : undefined;
    },
    deadline,
  );
}
