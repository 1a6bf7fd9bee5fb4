// Chromium, driven by playwright. Its fake microphone plays a file, so each tone needs a browser of its own.
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import type { NativeBrowser, NativeContext, SecureNames } from './browser';
import { scratchFolder } from './program';
import { chromiumPage } from './test_page';
import { writeTone } from './tone';

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

const secureFlags = ({ names, publicKeyHash }: SecureNames): string[] => [
  `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(', ')}`,
  `--ignore-certificate-errors-spki-list=${publicKeyHash}`,
];

export async function startChromium(tone: number, probe: string, secure?: SecureNames): Promise<NativeBrowser> {
  const microphone = join(scratchFolder('browser'), 'microphone.wav');
  writeTone(microphone, tone);
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    headless: true,
    args: [...kFlags, ...(secure ? secureFlags(secure) : []), `--use-file-for-fake-audio-capture=${microphone}`],
  });
  return {
    version: async () => browser.version(),
    context: (reports) => newContext(browser, probe, reports),
    stop: () => browser.close(),
  };
}

async function newContext(browser: Browser, probe: string, reports: Parameters<NativeBrowser['context']>[0]): Promise<NativeContext> {
  const context = await browser.newContext({ permissions: ['microphone', 'camera'] });
  await context.addInitScript(probe);
  return {
    open: async (url) => {
      const page = await context.newPage();
      page.on('pageerror', (error) => reports.errors.push(error.message));
      page.on('console', (message) => reports.console.push(message.text()));
      await page.goto(url);
      return chromiumPage(page);
    },
    close: () => context.close(),
  };
}
