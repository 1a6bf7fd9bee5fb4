// ROAP in the dialect that gateways of this kind speak: the JSON of OFFER, ANSWER and OK.

import type { AttachedPair } from './attached.js';
import type { Candidate } from './sdp.js';

/** Numbers from us; what the other side uses is echoed as it came. */
export type RoapId = number | string | null;

export interface RoapOffer {
  messageType: 'OFFER';
  sdp: string;
  candidates: Candidate[];
  offererSessionId: RoapId;
  seq: RoapId;
  tiebreaker: number;
  attached: unknown;
}

export interface RoapAnswer {
  messageType: 'ANSWER';
  sdp: string;
  candidates: Candidate[];
  offererSessionId: RoapId;
  answererSessionId: RoapId;
  seq: RoapId;
  /** A provisional answer: the real one follows. */
  moreComing: boolean;
  attached: unknown;
}

export interface RoapError {
  messageType: 'ERROR';
  errorType: string;
  sipStatus: number | null;
  reason: string;
  seq: RoapId;
}

export interface RoapOther {
  messageType: 'OK' | 'SHUTDOWN';
}

export type RoapMessage = RoapOffer | RoapAnswer | RoapError | RoapOther;

const kTiebreakerMax = 429496723;

export function tiebreaker(random: Uint8Array): number {
  const value = new DataView(random.buffer, random.byteOffset).getUint32(0);
  return 1 + (value % kTiebreakerMax);
}

interface Outgoing {
  sdp: string;
  candidates: readonly Candidate[];
  attached: readonly AttachedPair[] | null;
}

function withAttached<T extends object>(message: T, attached: readonly AttachedPair[] | null): string {
  return `RSMP ${JSON.stringify(attached === null ? message : { ...message, attacheddata: attached })}`;
}

export function writeOffer(offer: Outgoing & { sessionId: number; seq: number; tiebreaker: number }): string {
  return withAttached(
    {
      messageType: 'OFFER',
      sdp: offer.sdp,
      Candidates: offer.candidates,
      offererSessionId: offer.sessionId,
      answererSessionId: null,
      seq: offer.seq,
      tiebreaker: offer.tiebreaker,
    },
    offer.attached,
  );
}

export function writeAnswer(answer: Outgoing & { to: RoapOffer; sessionId: number; moreComing?: true }): string {
  return withAttached(
    {
      messageType: 'ANSWER',
      sdp: answer.sdp,
      Candidates: answer.candidates,
      offererSessionId: answer.to.offererSessionId,
      answererSessionId: answer.sessionId,
      seq: answer.to.seq,
      ...(answer.moreComing === true ? { moreComing: true } : {}),
    },
    answer.attached,
  );
}

export function writeOk(answer: RoapAnswer, attached: readonly AttachedPair[] | null): string {
  const { offererSessionId, answererSessionId, seq } = answer;
  return withAttached({ messageType: 'OK', offererSessionId, answererSessionId, seq }, attached);
}

/** Reads one message. Null if the JSON is none or is no ROAP message that means anything to a client. */
export function readRoap(json: string): RoapMessage | null {
  const fields = parseObject(json);
  if (fields === null) return null;
  const id = (name: string): RoapId => asId(fields.get(name));
  switch (fields.get('messageType')) {
    case 'OFFER':
    case 'ANSWER': {
      const sdp = fields.get('sdp');
      if (typeof sdp !== 'string' || sdp === '') return null;
      const common = {
        sdp,
        candidates: readCandidates(fields.get('Candidates')),
        offererSessionId: id('offererSessionId'),
        seq: id('seq'),
        attached: fields.get('attacheddata'),
      };
      if (fields.get('messageType') === 'OFFER') {
        return { ...common, messageType: 'OFFER', tiebreaker: Number(fields.get('tiebreaker') ?? 0) };
      }
      const answererSessionId = id('answererSessionId');
      return { ...common, messageType: 'ANSWER', answererSessionId, moreComing: fields.get('moreComing') === true };
    }
    case 'ERROR':
      return {
        messageType: 'ERROR',
        errorType: String(fields.get('errorType') ?? 'FAILED'),
        sipStatus: asStatus(fields.get('sipStatus')),
        reason: typeof fields.get('reason') === 'string' ? String(fields.get('reason')) : '',
        seq: id('seq'),
      };
    case 'OK':
      return { messageType: 'OK' };
    case 'SHUTDOWN':
      return { messageType: 'SHUTDOWN' };
    default:
      return null;
  }
}

/** The members of a JSON object, or null if the text is not one. */
export function parseObject(json: string): Map<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return new Map<string, unknown>(Object.entries(value));
  } catch {
    return null;
  }
}

function asId(value: unknown): RoapId {
  return typeof value === 'number' || typeof value === 'string' ? value : null;
}

function asStatus(value: unknown): number | null {
  const status = Number(value);
  return Number.isInteger(status) && status > 0 ? status : null;
}

function readCandidates(value: unknown): Candidate[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { candidate, sdpMLineIndex, sdpMid } = entry as Record<string, unknown>;
    if (typeof candidate !== 'string' || candidate === '') return [];
    const index = typeof sdpMLineIndex === 'number' ? sdpMLineIndex : null;
    const mid = typeof sdpMid === 'string' ? sdpMid : null;
    const place = index ?? (mid === null ? 0 : null);
    // With neither, the browser refuses the candidate: there is one transport as a rule, the first section's.
    return [{ candidate: candidate.replace(/^a=/, ''), sdpMLineIndex: place, sdpMid: mid }];
  });
}
