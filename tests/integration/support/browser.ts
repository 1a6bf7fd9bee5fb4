// A Chromium of its own for each party of a call: its fake microphone plays that party's tone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { scratchFolder } from './program';
import { plays, writeTone, type Tone } from './tone';
import { kDeadline, until } from './wait';

const kProbe = readFileSync(new URL('probe.js', import.meta.url), 'utf8');

const kFlags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

export interface BrowserOptions {
  tone: number; // Hz that its microphone hears
}

export class TestBrowser {
  readonly errors: string[] = []; // uncaught in any page
  readonly console: string[] = [];

  private constructor(
    private readonly browser: Browser,
    private readonly context: BrowserContext,
    readonly tone: number,
  ) {}

  static async start({ tone }: BrowserOptions): Promise<TestBrowser> {
    const microphone = join(scratchFolder('browser'), 'microphone.wav');
    writeTone(microphone, tone);
    const browser = await chromium.launch({
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      headless: true,
      args: [...kFlags, `--use-file-for-fake-audio-capture=${microphone}`],
    });
    const context = await browser.newContext({ permissions: ['microphone', 'camera'] });
    await context.addInitScript(kProbe);
    return new TestBrowser(browser, context, tone);
  }

  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => this.console.push(message.text()));
    await page.goto(url);
    return page;
  }

  async stop(): Promise<void> {
    await this.browser.close();
  }
}

interface Probe {
  tone(): Tone | undefined;
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

export const heardIn = (page: Page): Promise<Tone | undefined> => page.evaluate(() => window.probe.tone());
export const videoIn = (page: Page): Promise<{ frames: number; codec?: string }> => page.evaluate(() => window.probe.video());
export const audioCodecIn = (page: Page): Promise<string | undefined> => page.evaluate(() => window.probe.audioCodec());

/** The page hears this tone, clearly. */
export async function waitForTone(page: Page, frequency: number, deadline = kDeadline): Promise<Tone> {
  let tone: Tone | undefined;
  return until(
    `the page hears ${frequency} Hz`,
    async () => {
      tone = await heardIn(page);
      return plays(tone, frequency) ? tone : undefined;
    },
    deadline,
  ).catch(async (error: Error) => {
    const states = await page.evaluate(() => window.probe.states());
    throw new Error(`${error.message}; it heard ${JSON.stringify(tone)}, connections ${states.join(' ') || 'none'}`);
  });
}

/**
 * Sound is played again. After a hold on one and the same peer connection Chromium plays what arrives, but gives WebAudio silence, so
 * that waitForTone() would wait for ever.
 */
export async function waitForSound(page: Page, deadline = kDeadline): Promise<void> {
  const energy = (): Promise<number> => page.evaluate(() => window.probe.energy());
  const before = await energy();
  await until('the page plays sound', async () => (await energy()) > before + 0.05, deadline);
}

/** Nothing is heard any more. */
export async function waitForSilence(page: Page, deadline = kDeadline): Promise<void> {
  await until('the page hears nothing', async () => ((await heardIn(page))?.rms ?? 0) < 0.003, deadline);
}

/** `more` further video frames are decoded. */
export async function waitForFrames(page: Page, more: number, deadline = kDeadline): Promise<{ frames: number; codec?: string }> {
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
