// Which browser a page runs in.

import { describe, expect, it } from 'vitest';
import { detectBrowser } from '../src/platform/detect.js';

const kWebKit = 'AppleWebKit/537.36 (KHTML, like Gecko)';

describe('The browser', () => {
  it.each([
    ['chrome', '156', `Mozilla/5.0 (X11; Linux x86_64) ${kWebKit} Chrome/156.0.0.0 Safari/537.36`],
    ['chrome', '130', `Mozilla/5.0 (Windows NT 10.0) ${kWebKit} Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0`],
    ['chrome', '120', `Mozilla/5.0 (Linux; Android 10; K) ${kWebKit} HeadlessChrome/1 Chrome/120.0.0.0 Mobile Safari/537.36`],
    ['firefox', '153', 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0'],
    ['safari', '605', 'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15'],
    // Every browser of iOS is Safari inside.
    ['safari', '605', 'Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/130.0 Mobile/15E148 Safari/604.1'],
    ['Not a supported browser.', '', 'curl/8'],
    ['Not a browser.', '', ''],
  ])('is %s %s', (name, version, userAgent) => {
    expect(detectBrowser({ userAgent })).toEqual({ name, version });
  });

  it('is known by its engine where it says so, whatever its name', () => {
    const brands = [
      { brand: 'Not A;Brand', version: '8' },
      { brand: 'Chromium', version: '140.0.1' },
    ];
    expect(detectBrowser({ userAgent: 'Mozilla/5.0', userAgentData: { brands } })).toEqual({ name: 'chrome', version: '140' });
  });

  it('is none where there is no page', () => {
    expect(detectBrowser(undefined)).toEqual({ name: 'Not a browser.', version: '' });
  });
});
