// What the page remembers from one visit to the next, and what its address asks for.

export interface RecentCall {
  readonly peer: string;
  readonly direction: 'out' | 'in';
  readonly video: boolean;
  readonly answered: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const kNameKey = 'crosspoint.dn';
const kRecentKey = 'crosspoint.recent';
const kRecentMax = 6;

/** Storage may be forbidden or full: then nothing is remembered. */
function read(key: string): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Not remembered, then.
  }
}

export function rememberedName(): string {
  return read(kNameKey);
}

export function rememberName(name: string): void {
  write(kNameKey, name);
}

function isRecentCall(value: unknown): value is RecentCall {
  if (typeof value !== 'object' || value === null) return false;
  const { peer, direction, at } = value as Partial<RecentCall>;
  return typeof peer === 'string' && (direction === 'out' || direction === 'in') && typeof at === 'number';
}

export function recentCalls(): RecentCall[] {
  try {
    const value: unknown = JSON.parse(read(kRecentKey) || '[]');
    return Array.isArray(value) ? value.filter(isRecentCall).slice(0, kRecentMax) : [];
  } catch {
    return [];
  }
}

export function rememberCall(call: RecentCall): void {
  const others = recentCalls().filter(({ peer, direction }) => peer !== call.peer || direction !== call.direction);
  write(kRecentKey, JSON.stringify([call, ...others].slice(0, kRecentMax)));
}

/** `?dn=1001&call=echo&auto=1`: see the README. */
export interface Address {
  readonly gateway: string;
  readonly dn: string;
  readonly call: string;
  readonly video: boolean;
  /** Sign in without being asked. */
  readonly auto: boolean;
  /** Call `call` without being asked, once signed in. */
  readonly autoCall: boolean;
  /** Accept every call. */
  readonly answer: boolean;
  /** Leave the microphone's sound as it is: no echo cancellation and the like. */
  readonly raw: boolean;
}

/** These hear nothing but what they send back. */
const kHarmless: ReadonlySet<string> = new Set(['echo', 'self']);

/**
 * Links can come from anybody. So none can open the microphone to somebody else: calls to others are placed, and calls
 * are accepted, without being asked only on a page of this machine. And none can name another gateway, which would get
 * the password.
 */
export function readAddress(location: Pick<Location, 'href' | 'hostname' | 'search'>): Address {
  const query = new URLSearchParams(location.search);
  const isSet = (name: string): boolean => ['1', 'true', 'yes'].includes(query.get(name) ?? '');
  const onThisMachine = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
  const call = (query.get('call') ?? '').trim();
  const auto = isSet('auto');
  return {
    gateway: new URL('.', location.href).href.replace(/\/$/, ''),
    dn: (query.get('dn') ?? '').trim(),
    call,
    video: isSet('video'),
    auto,
    autoCall: auto && call !== '' && (onThisMachine || kHarmless.has(call)),
    answer: isSet('answer') && onThisMachine,
    raw: isSet('raw'),
  };
}
