// A page in whichever browser, as tests read and drive it: what playwright (Chromium) and puppeteer (Firefox) have in common.
import type { Page as PlaywrightPage } from 'playwright-core';
import type { Page as PuppeteerPage } from 'puppeteer-core';

export type BrowserKind = 'chromium' | 'firefox';

export interface TestPage {
  readonly browser: BrowserKind;
  /** An expression or a function, run in the page; promises are awaited, what they give is copied. */
  evaluate<T = unknown>(script: string | (() => T | Promise<T>)): Promise<T>;
  // What a user does and sees; selectors are CSS.
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  isVisible(selector: string): Promise<boolean>;
  textOf(selector: string): Promise<string | null>;
  /** Each confirm() and alert() of the page is answered with what `answer` says of its text. */
  onDialog(answer: (message: string) => boolean): void;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

const shown = (selector: string): string =>
  `(() => { const e = document.querySelector(${JSON.stringify(selector)}); return !!e && e.getClientRects().length > 0; })()`;
const text = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})?.textContent ?? null`;

export function chromiumPage(page: PlaywrightPage): TestPage {
  return {
    browser: 'chromium',
    evaluate: <T>(script: string | (() => T | Promise<T>)) => page.evaluate<T>(script as string),
    click: (selector) => page.click(selector),
    fill: (selector, value) => page.fill(selector, value),
    isVisible: (selector) => page.evaluate<boolean>(shown(selector)),
    textOf: (selector) => page.evaluate<string | null>(text(selector)),
    onDialog: (answer) => void page.on('dialog', (dialog) => void (answer(dialog.message()) ? dialog.accept() : dialog.dismiss())),
    screenshot: async (path) => void (await page.screenshot({ path })),
    close: () => page.close(),
  };
}

export function firefoxPage(page: PuppeteerPage): TestPage {
  return {
    browser: 'firefox',
    evaluate: <T>(script: string | (() => T | Promise<T>)) => page.evaluate(script as string) as Promise<T>,
    click: (selector) => page.click(selector),
    // Typed over what was there, as a user would: puppeteer has no other way that the page's scripts hear of.
    fill: async (selector, value) => {
      await page.click(selector, { count: 3 });
      await page.type(selector, value);
    },
    isVisible: (selector) => page.evaluate(shown(selector)) as Promise<boolean>,
    textOf: (selector) => page.evaluate(text(selector)) as Promise<string | null>,
    onDialog: (answer) => void page.on('dialog', (dialog) => void (answer(dialog.message()) ? dialog.accept() : dialog.dismiss())),
    screenshot: async (path) => void (await page.screenshot({ path: path as `${string}.png` })),
    close: () => page.close(),
  };
}
