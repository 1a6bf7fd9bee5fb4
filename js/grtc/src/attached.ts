// Data that travels with a call, and data sent during one.

import { GRTC_ERROR, GrtcError } from './errors.js';
import { wellFormed } from './login.js';

export type AttachedValue = string | number | boolean;
/** One piece of the data attached to a call (guide, "setData"). */
export interface AttachedPair {
  key: string;
  value: AttachedValue;
}
/** A simple object: names and plain values, nothing nested. */
export type InfoData = Record<string, AttachedValue>;

/** What a SIP header takes, and how much a message within a call (docs/protocols/sip.md, roap.md); bytes. */
const kAttachedMax = 4096;
const kAttachedEntriesMax = 128;
const kInfoMax = 16384;

function isPlain(value: unknown): value is AttachedValue {
  if (typeof value === 'number') return Number.isFinite(value);
  return typeof value === 'string' || typeof value === 'boolean';
}

/** The data of the page, to be attached. Throws GRTC_ERROR if it is ill-formed, or longer than can travel with a call. */
export function attachable(data: unknown): AttachedPair[] {
  const pairs = readAttached(data);
  const bytes = pairs.reduce((sum, { key, value }) => sum + encoded(key).length + encoded(String(value)).length + 2, -1);
  if (pairs.length > kAttachedEntriesMax || bytes > kAttachedMax) {
    const limits = `${kAttachedEntriesMax} entries and ${kAttachedMax} bytes, percent-encoded`;
    throw new GrtcError(GRTC_ERROR, `Data of more than ${limits} cannot be attached to a call.`);
  }
  return pairs;
}

/** A copy of the data, checked. Throws GRTC_ERROR unless it is an array of objects with exactly `key` and `value`. */
export function readAttached(data: unknown): AttachedPair[] {
  if (!Array.isArray(data) || data.length === 0) {
    throw new GrtcError(GRTC_ERROR, 'Attached data must be an array of one or more {key, value} objects.');
  }
  return data.map((entry: unknown) => {
    if (typeof entry === 'object' && entry !== null && Object.keys(entry).length === 2) {
      const { key, value } = entry as { key?: unknown; value?: unknown };
      if (typeof key === 'string' && isPlain(value)) return { key, value };
    }
    throw new GrtcError(GRTC_ERROR, 'Each piece of attached data must have exactly a key and a value.');
  });
}

/** The data as `a=1&b=2`. Throws GRTC_ERROR unless it is a simple object with at least one entry. */
export function writeInfo(data: unknown): string {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new GrtcError(GRTC_ERROR, 'Data to send must be a simple object.');
  }
  const pairs = Object.entries(data).map(([key, value]: [string, unknown]) => {
    if (key === '' || !isPlain(value)) {
      throw new GrtcError(GRTC_ERROR, `Data to send must hold strings, numbers and booleans only: "${key}".`);
    }
    return `${encoded(key)}=${encoded(String(value))}`;
  });
  if (pairs.length === 0) throw new GrtcError(GRTC_ERROR, 'Data to send must hold at least one value.');
  const text = pairs.join('&');
  if (text.length > kInfoMax) {
    throw new GrtcError(GRTC_ERROR, `Data of more than ${kInfoMax} bytes, percent-encoded, cannot be sent.`);
  }
  return text;
}

/** Percent-encoded but for RFC 3986's unreserved characters. Halves of a character become U+FFFD, as browsers send them. */
function encoded(text: string): string {
  return encodeURIComponent(wellFormed(text)).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** The reverse. Text that is not percent-encoded (older clients send it so) is taken as it is. */
export function readInfo(text: string): InfoData {
  const pairs = text.split('&').filter((pair) => pair !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? [decode(pair), ''] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
    }),
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
