// The configuration of a client (guide, "Instance Attributes"): checked once, with every default filled in.
//
// Applications fill what they do not use with empty strings, null or undefined, and give numbers as strings: all of
// these are understood. What cannot be understood throws CONFIGURATION_ERROR and names the parameter.

import { CONFIGURATION_ERROR, GrtcError } from './errors.js';

type Text = string | null | undefined;
type Count = number | string | null | undefined;
type Flag = boolean | string | null | undefined;

/** What a page passes to `new Grtc.Client(...)`. */
export interface ClientConfiguration {
  /** HTTP URL of the gateway, or several separated by commas: at sign-in they are tried in turn. */
  webrtc_gateway: string;
  /** `host[:port]`, or several separated by commas. */
  stun_server?: Text;
  /** `host[:port][?transport=udp|tcp]`, or several separated by commas. Needs turn_username and turn_password. */
  turn_server?: Text;
  turn_username?: Text;
  turn_password?: Text;
  /** The DN to register when `register()` is called without one, and its password. */
  sip_username?: string | number | null | undefined;
  sip_password?: Text;
  /** Kept for pages that set it. Browsers of today key media with DTLS-SRTP always. Default true. */
  dtls_srtp?: Flag;
  /** Milliseconds from an offer until onPeerNoanswer; 0 is never. Default 60000. All of these: at most 24 days. */
  noanswer_timeout?: Count;
  /** Milliseconds that gathering candidates may take. Default 3000, minimum 1000. */
  ice_timeout?: Count;
  /** Kept for pages that set it; has no effect. Default false. */
  ice_optimization?: Flag;
  /** Milliseconds after which a hanging GET is given up and made anew; 0 is never. Default 30000, minimum 10000. */
  polling_timeout?: Count;
}

/** The same with every value settled. This is `client.configuration`. */
export interface Configuration {
  readonly webrtc_gateway: string;
  readonly stun_server: string;
  readonly turn_server: string;
  readonly turn_username: string;
  readonly turn_password: string;
  readonly sip_username: string;
  readonly sip_password: string;
  readonly dtls_srtp: boolean;
  readonly noanswer_timeout: number;
  readonly ice_timeout: number;
  readonly ice_optimization: boolean;
  readonly polling_timeout: number;
}

const kNoanswerTimeout = 60000;
const kIceTimeout = 3000;
const kIceTimeoutMin = 1000;
const kPollingTimeout = 30000;
const kPollingTimeoutMin = 10000;
/** The longest time that browsers' timers can count, 24 days: with more they go off at once. */
const kTimeoutMax = 2 ** 31 - 1;

/** Throws CONFIGURATION_ERROR for a missing or malformed parameter. A value below its minimum becomes the minimum. */
export function readConfiguration(input: unknown): Configuration {
  if (typeof input !== 'object' || input === null) {
    throw new GrtcError(CONFIGURATION_ERROR, 'The configuration must be an object with at least webrtc_gateway.');
  }
  const given = new Map<string, unknown>(Object.entries(input));
  const configuration: Configuration = {
    webrtc_gateway: readText(given, 'webrtc_gateway'),
    stun_server: readText(given, 'stun_server'),
    turn_server: readText(given, 'turn_server'),
    turn_username: readText(given, 'turn_username'),
    turn_password: readText(given, 'turn_password'),
    sip_username: readText(given, 'sip_username'),
    sip_password: readText(given, 'sip_password'),
    dtls_srtp: readFlag(given, 'dtls_srtp', true),
    noanswer_timeout: readCount(given, 'noanswer_timeout', kNoanswerTimeout),
    ice_timeout: Math.max(kIceTimeoutMin, readCount(given, 'ice_timeout', kIceTimeout)),
    ice_optimization: readFlag(given, 'ice_optimization', false),
    polling_timeout: atLeastOrZero(readCount(given, 'polling_timeout', kPollingTimeout), kPollingTimeoutMin),
  };
  gatewaysOf(configuration);
  iceServersOf(configuration);
  return configuration;
}

/** The base URLs, in the order given, without trailing slashes. */
export function gatewaysOf(configuration: Configuration): string[] {
  const gateways = splitList(configuration.webrtc_gateway);
  if (gateways.length === 0) {
    throw new GrtcError(CONFIGURATION_ERROR, 'webrtc_gateway is missing: give the HTTP URL of the gateway.');
  }
  for (const gateway of gateways) {
    if (!isHttpUrl(gateway)) {
      throw new GrtcError(CONFIGURATION_ERROR, `webrtc_gateway is not an HTTP URL: "${gateway}".`);
    }
  }
  return gateways.map((gateway) => gateway.replace(/\/+$/, ''));
}

/** The servers in the form that RTCPeerConnection takes. */
export function iceServersOf(configuration: Configuration): RTCIceServer[] {
  const servers: RTCIceServer[] = [];
  const stun = splitList(configuration.stun_server);
  if (stun.length > 0) servers.push({ urls: stun.map((server) => serverUrl('stun_server', server, 'stun')) });
  const turn = splitList(configuration.turn_server);
  if (turn.length > 0) {
    if (configuration.turn_username === '' || configuration.turn_password === '') {
      throw new GrtcError(CONFIGURATION_ERROR, 'turn_server needs turn_username and turn_password.');
    }
    servers.push({
      urls: turn.map((server) => serverUrl('turn_server', server, 'turn')),
      username: configuration.turn_username,
      credential: configuration.turn_password,
    });
  }
  return servers;
}

function serverUrl(parameter: string, server: string, scheme: 'stun' | 'turn'): string {
  const url = new RegExp(`^${scheme}s?:`, 'i').test(server) ? server : `${scheme}:${server}`;
  const transport = scheme === 'turn' ? '(\\?transport=(udp|tcp))?' : '';
  const wellFormed = new RegExp(`^${scheme}s?:([A-Za-z0-9_.-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?${transport}$`, 'i');
  const [, , port] = wellFormed.exec(url) ?? [];
  const isPort = port === undefined || (Number(port.slice(1)) > 0 && Number(port.slice(1)) <= 65535);
  if (!wellFormed.test(url) || !isPort) {
    throw new GrtcError(CONFIGURATION_ERROR, `${parameter} is not of the form host:port: "${server}".`);
  }
  return url;
}

function isHttpUrl(text: string): boolean {
  try {
    const { protocol, hostname, search, hash, username, password } = new URL(text);
    const isHttp = (protocol === 'http:' || protocol === 'https:') && hostname !== '';
    return isHttp && [search, hash, username, password].every((part) => part === ''); // browsers ask no URL with a password
  } catch {
    return false;
  }
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function atLeastOrZero(value: number, minimum: number): number {
  return value === 0 ? 0 : Math.max(minimum, value);
}

function isUnset(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

function readText(given: ReadonlyMap<string, unknown>, name: string): string {
  const value = given.get(name);
  if (isUnset(value)) return '';
  if (typeof value === 'string') return name.endsWith('_password') ? value : value.trim();
  if (typeof value === 'number' && Number.isFinite(value)) return String(value);
  throw new GrtcError(CONFIGURATION_ERROR, `${name} must be a string.`);
}

function readFlag(given: ReadonlyMap<string, unknown>, name: string, fallback: boolean): boolean {
  const value = given.get(name);
  if (isUnset(value)) return fallback;
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  throw new GrtcError(CONFIGURATION_ERROR, `${name} must be true or false.`);
}

function readCount(given: ReadonlyMap<string, unknown>, name: string, fallback: number): number {
  const value = given.get(name);
  if (isUnset(value)) return fallback;
  const count = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof count === 'number' && Number.isFinite(count) && count >= 0) return Math.min(count, kTimeoutMax);
  throw new GrtcError(CONFIGURATION_ERROR, `${name} must be a number of milliseconds.`);
}
