// Which browser this is. Nothing in grtc depends on it but provisional answers; pages ask for it (guide, "Grtc").

/** What tells browsers apart. */
export interface BrowserTraits {
  readonly userAgent?: string;
  readonly userAgentData?: { readonly brands?: readonly { readonly brand: string; readonly version: string }[] };
}

export interface Browser {
  readonly name: string;
  /** The major version, or nothing. */
  readonly version: string;
}

/** In this order: Chromium and its kin name Safari too, and all name Mozilla. Safari's engine counts, as for its kin. */
const kPatterns: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['firefox', /\bFirefox\/(\d+)/],
  ['chrome', /\bChrom(?:e|ium)\/(\d+)/],
  ['safari', /\bAppleWebKit\/(\d+)/],
];

export function detectBrowser(navigator: BrowserTraits | undefined): Browser {
  const { userAgent, userAgentData } = navigator ?? {};
  if (userAgent === undefined || userAgent === '') return { name: 'Not a browser.', version: '' };
  const chromium = userAgentData?.brands?.find(({ brand }) => brand === 'Chromium');
  if (chromium !== undefined) return { name: 'chrome', version: chromium.version.replace(/\..*$/, '') };
  for (const [name, pattern] of kPatterns) {
    const version = pattern.exec(userAgent)?.[1];
    if (version !== undefined) return { name, version };
  }
  return { name: 'Not a supported browser.', version: '' };
}
