// What a message from the gateway means (signalling, section 4).

import { readInfo, type InfoData } from './attached.js';
import { parseObject, readRoap, type RoapAnswer, type RoapError, type RoapOffer } from './roap.js';

/** The state of a call that is being set up, and why one failed: Crosspoint's extension. */
export interface ProgressInfo {
  state: string;
  [detail: string]: unknown;
}

/** The guide's statistics object: values are numbers, except the codecs' names. Counters count from the call's beginning. */
export interface ServerStats {
  /** Milliseconds since 1970. */
  timestamp?: number;
  /** Of the call, in milliseconds. */
  duration?: number;
  audio?: MediaStats;
  video?: MediaStats;
}
export interface MediaStats {
  leg_id: number;
  codec: string;
  /** What the gateway got from this page. */
  rx: StreamStats;
  /** What it sent to this page. */
  tx: Omit<StreamStats, 'lost' | 'jitter' | 'max_jitter'>;
  /** What this page got, by its own reports. */
  client: Pick<StreamStats, 'packets' | 'lost' | 'jitter' | 'max_jitter'>;
  /** Milliseconds; 0 before the first report. */
  rtt: number;
  rtt_max: number;
  rtt_average: number;
  rtt_count: number;
}
export interface StreamStats {
  ssrc: number;
  payload: number;
  packets: number;
  bytes: number;
  errors: number;
  rtcp: number;
  rtcp_errors: number;
  lost: number;
  /** In units of the RTP timestamp (RFC 3550): 48 to the millisecond for opus, 8 for G.711, 90 for video. */
  jitter: number;
  max_jitter: number;
}

export type GatewayMessage =
  | { kind: 'bye'; peer: string | null }
  | { kind: 'invite'; peer: string; attached: unknown }
  | { kind: 'talk' | 'hold'; peer: string }
  | { kind: 'info'; data: InfoData }
  | { kind: 'stats'; stats: ServerStats }
  | { kind: 'progress'; progress: ProgressInfo }
  | { kind: 'error'; error: RoapError }
  | { kind: 'offer'; peer: string; offer: RoapOffer }
  | { kind: 'answer'; answer: RoapAnswer }
  | { kind: 'ok' }
  | { kind: 'unknown'; why: string };

/** `peer` is the reply's Pragma header. */
export function readMessage(body: string, peer: string | null): GatewayMessage {
  if (body.startsWith('BYE')) return { kind: 'bye', peer };
  if (body.startsWith('INVITE')) return readInvite(body, peer);
  if (body.startsWith('EVENT-TALK')) return { kind: 'talk', peer: peer ?? '' };
  if (body.startsWith('EVENT-HOLD')) return { kind: 'hold', peer: peer ?? '' };
  if (body.startsWith('INFO-PEER ')) return { kind: 'info', data: readInfo(body.slice('INFO-PEER '.length)) };
  if (body.startsWith('PUT-STATS')) return readStats(body.slice('PUT-STATS'.length));
  if (body.startsWith('PROGRESS')) return readProgress(body.slice('PROGRESS'.length));
  return readRoapMessage(body, peer);
}

function readInvite(body: string, peer: string | null): GatewayMessage {
  if (peer === null || peer === '') return { kind: 'unknown', why: 'an INVITE without the name of the caller' };
  const json = jsonOf(body);
  return { kind: 'invite', peer, attached: json === null ? undefined : parseObject(json)?.get('attacheddata') };
}

function readStats(text: string): GatewayMessage {
  const fields = parseObject(text);
  if (fields === null) return { kind: 'unknown', why: 'statistics that are no JSON object' };
  return { kind: 'stats', stats: Object.fromEntries(fields) };
}

function readProgress(text: string): GatewayMessage {
  const fields = parseObject(text);
  const state = fields?.get('state');
  if (fields === null || typeof state !== 'string') return { kind: 'unknown', why: 'progress without a state' };
  return { kind: 'progress', progress: { ...Object.fromEntries(fields), state } };
}

function readRoapMessage(body: string, peer: string | null): GatewayMessage {
  const json = jsonOf(body);
  const message = json === null ? null : readRoap(json);
  if (message === null) return { kind: 'unknown', why: `a message that is not understood: ${body.slice(0, 40)}` };
  switch (message.messageType) {
    case 'OFFER':
      if (peer === null || peer === '') return { kind: 'unknown', why: 'an OFFER without the name of the caller' };
      return { kind: 'offer', peer, offer: message };
    case 'ANSWER':
      return { kind: 'answer', answer: message };
    case 'ERROR':
      return { kind: 'error', error: message };
    case 'SHUTDOWN':
      return { kind: 'bye', peer };
    case 'OK':
      return { kind: 'ok' };
  }
}

function jsonOf(body: string): string | null {
  const at = body.indexOf('{');
  return at < 0 ? null : body.slice(at);
}
