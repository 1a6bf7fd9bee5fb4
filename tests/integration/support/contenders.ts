// Who takes part in a scenario: a client of the wire, in a browser. Scenarios run with each of them.
import type { BrowserKind } from './test_page';

/** `field-old` and `field-new` are two generations of the client that follows the signalling only (field_client/). */
export type ClientKind = 'grtc' | 'field-old' | 'field-new';

export interface Contender {
  readonly name: string;
  readonly browser: BrowserKind;
  readonly client: ClientKind;
}

export const kGrtc: Contender = { name: 'grtc.js in Chromium', browser: 'chromium', client: 'grtc' };
export const kFirefox: Contender = { name: 'grtc.js in Firefox', browser: 'firefox', client: 'grtc' };
export const kFieldOld: Contender = { name: 'an old client in the field', browser: 'chromium', client: 'field-old' };
export const kFieldNew: Contender = { name: 'a newer client in the field', browser: 'chromium', client: 'field-new' };

export const kContenders: readonly Contender[] = [kGrtc, kFieldOld, kFieldNew, kFirefox];

/** The caller is told why a call failed: with a SIP status where its client knows of such, else with ROAP's error type. */
export function failure(client: ClientKind, sipStatus: number, errorType: string): Record<string, unknown> {
  return client === 'grtc' ? { error: errorType, sipStatus } : { error: errorType };
}
