// What a page is told of a failure, and a page that says what no client of ours would.
import { expect } from 'vitest';
import type { WebParty } from './web_party';

export type Told = Record<string, unknown>;

/** From now on each message that the page sends goes through `window.mangle`, if there is one. */
export async function changeable(party: WebParty): Promise<void> {
  await party.evaluate(`(() => {
    const changed = (text) => (window.mangle && typeof text === 'string' ? window.mangle(text) : text);
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (text) { send.call(this, changed(text)); };
    const { fetch } = window;
    window.fetch = (url, options) => fetch(url, options && { ...options, body: changed(options.body) });
  })()`);
}

/** `script` sets window.mangle. */
export const mangle = (party: WebParty, script: string): Promise<unknown> => party.page.evaluate(`void (${script})`);
export const kCodecsGone = "window.mangle = (text) => text.replaceAll(/ (opus|PCMU|PCMA)\\//gi, ' none/')";

/** The page hears of this, and then that the call has ended. */
export async function hears(party: WebParty, error: string, sipStatus: number | undefined, reason: unknown): Promise<void> {
  const told = { error, reason, ...(sipStatus === undefined ? {} : { sipStatus }) };
  const { message, ...heard } = await party.waitFor('onGatewayError');
  expect(heard).toEqual(told);
  expect(message).toBe(`${error}: ${[sipStatus, heard['reason']].filter((part) => part !== undefined).join(' ')}`);
  const { peer: _peer, ...why } = await party.waitFor('onPeerClosing');
  expect(why).toEqual(told);
}

/** It hears of this, and the call goes on. */
export async function hearsInCall(party: WebParty, error: string, sipStatus: number, reason: unknown): Promise<void> {
  expect(await party.waitFor('onGatewayError')).toMatchObject({ error, sipStatus, reason });
  expect(await party.established()).toBe(true);
}

/** The call ends, and nothing else is said. */
export async function hearsTheEnd(party: WebParty): Promise<void> {
  const { peer: _peer, ...more } = await party.waitFor('onPeerClosing');
  expect(more).toEqual({});
  expect((await party.events()).map(({ name }) => name)).not.toContain('onGatewayError');
}
