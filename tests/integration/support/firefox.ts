// Firefox ESR, driven by puppeteer over WebDriver BiDi. Its fake microphone is a sine of any frequency.
import { launch, type Browser } from 'puppeteer-core';
import type { NativeBrowser, NativeContext } from './browser';
import { endWithUs, scratchFolder } from './program';
import { firefoxPage } from './test_page';

const kPreferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  // Without it ICE uses the default addresses only, and does not reach 127.0.0.1.
  'permissions.default.microphone': 1,
  'permissions.default.camera': 1,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'media.autoplay.default': 0,
};

export async function startFirefox(tone: number, probe: string): Promise<NativeBrowser> {
  const browser = await launch({
    browser: 'firefox',
    executablePath: process.env['FIREFOX'] ?? '/usr/bin/firefox-esr',
    headless: true,
    userDataDir: scratchFolder('firefox'),
    extraPrefsFirefox: { ...kPreferences, 'media.navigator.audio.fake_frequency': tone },
  });
  endWithUs(browser.process()!);
  return {
    version: async () => (await browser.version()).replace(/^firefox\//i, ''),
    context: (reports) => newContext(browser, probe, reports),
    stop: () => browser.close(),
  };
}

async function newContext(browser: Browser, probe: string, reports: Parameters<NativeBrowser['context']>[0]): Promise<NativeContext> {
  const context = await browser.createBrowserContext();
  return {
    open: async (url) => {
      const page = await context.newPage();
      page.on('pageerror', (error) => reports.errors.push(error instanceof Error ? error.message : String(error)));
      page.on('console', (message) => reports.console.push(message.text()));
      await page.evaluateOnNewDocument(probe);
      await page.goto(url);
      return firefoxPage(page);
    },
    close: () => context.close(),
  };
}
