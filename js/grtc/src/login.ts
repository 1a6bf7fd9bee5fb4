// What one sign-in gave: the session at the gateway, and how far the messages of both directions have been counted.

import { CONNECTION_ERROR, GrtcError } from './errors.js';

export interface Identity {
  readonly id: string;
  readonly password: string | null;
}

export interface Login {
  readonly identity: Identity;
  readonly gateway: string;
  /** The session's id. */
  readonly token: string;
  /** The extensions that the gateway announced. */
  readonly features: ReadonlySet<string>;
  /** Aborted when this login is over. */
  readonly over: AbortController;
  /** The number of the last message from the gateway that has been taken. */
  lastTaken: number;
  /** The number of the last message to the gateway. */
  lastSent: number;
  /** The gateway could not be reached when we last tried, or we slept: it may have forgotten us since. */
  troubled: boolean;
}

/** The reply to a sign-in. Throws CONNECTION_ERROR if it is none. */
export function readLogin(identity: Identity, gateway: string, text: string): Login {
  const [first = '', ...others] = text.split(/\r?\n/);
  const token = first.slice(first.indexOf('=') + 1).trim();
  if (!first.includes('=') || !/^[\w.~+/=-]+$/.test(token)) {
    throw new GrtcError(CONNECTION_ERROR, `What answered at ${gateway} is not a gateway.`);
  }
  const features = others.find((line) => line.startsWith('features='))?.slice('features='.length) ?? '';
  return {
    identity,
    gateway,
    token,
    features: new Set(features.split(',').map((feature) => feature.trim())),
    over: new AbortController(),
    lastTaken: 0,
    lastSent: 0,
    troubled: false,
  };
}

/** Of the extensions that we know, those that this gateway has too. */
export function sharedFeatures(login: Login, known: readonly string[]): string {
  return known.filter((feature) => login.features.has(feature)).join(',');
}

/** Text that has halves of characters, of which URLs and UTF-8 know nothing, with U+FFFD in their places. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** Nothing in these queries has a key, and gateways decode percent signs but leave "+" alone. */
export function queryValue(text: string): string {
  return encodeURI(wellFormed(text)).replace(/[#&?]/g, encodeURIComponent);
}

/** What every receiving request says: who we are, what we have, what we understand. */
export function receiveUrl(login: Login, endpoint: 'wait' | 'signalling', known: readonly string[]): string {
  const ack = login.features.has('ack') ? `&ack=${login.lastTaken}` : '';
  const shared = sharedFeatures(login, known);
  return `${login.gateway}/${endpoint}?id=${login.token}${ack}${shared === '' ? '' : `&features=${shared}`}`;
}
