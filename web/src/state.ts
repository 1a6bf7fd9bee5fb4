// What the page shows, as plain data. The phone changes it, the view draws it.

import type { ServerStats } from 'grtc';
import type { RecentCall } from './settings.js';

export type AccountState =
  | { readonly phase: 'out'; readonly error: string }
  | { readonly phase: 'signingIn'; readonly name: string }
  | { readonly phase: 'in'; readonly name: string; readonly anonymous: boolean };

/** starting: asking for devices; dialling: the offer is on its way; ringing: the far end rings; active: answered. */
export type CallPhase = 'starting' | 'dialling' | 'ringing' | 'active';

export interface CallView {
  readonly peer: string;
  readonly direction: 'out' | 'in';
  readonly phase: CallPhase;
  readonly video: boolean;
  readonly remoteVideo: boolean;
  readonly muted: boolean;
  readonly cameraOn: boolean;
  readonly hold: 'none' | 'ours' | 'theirs';
  readonly reconnecting: boolean;
  /** The call is on its way to someone else. */
  readonly transferring: boolean;
  /** Milliseconds since 1970; null until the call is answered. */
  readonly activeSince: number | null;
}

export interface Notice {
  readonly kind: 'info' | 'error';
  readonly text: string;
}

export interface PhoneState {
  readonly account: AccountState;
  readonly connectionLost: boolean;
  readonly call: CallView | null;
  readonly incoming: { readonly peer: string } | null;
  readonly notice: Notice | null;
  readonly localStream: MediaStream | null;
  readonly remoteStream: MediaStream | null;
  readonly stats: StatsView | null;
  readonly recent: readonly RecentCall[];
}

export interface StatsView {
  readonly codec: string;
  readonly received: string;
  readonly sent: string;
  readonly lost: string;
  readonly jitter: string;
  readonly roundTrip: string;
}

export const kInitialState: PhoneState = {
  account: { phase: 'out', error: '' },
  connectionLost: false,
  call: null,
  incoming: null,
  notice: null,
  localStream: null,
  remoteStream: null,
  stats: null,
  recent: [],
};

/** From two samples of the gateway's statistics. "Received" is what we receive: what the gateway sends. */
export function describeStats(before: ServerStats | null, now: ServerStats): StatsView {
  const media = [now.audio, now.video].filter((each) => each !== undefined);
  const seconds = ((now.timestamp ?? 0) - (before?.timestamp ?? 0)) / 1000;
  const rate = (direction: 'rx' | 'tx'): string => {
    if (before === null || seconds <= 0) return '–';
    const bytes = (stats: ServerStats): number =>
      (stats.audio?.[direction].bytes ?? 0) + (stats.video?.[direction].bytes ?? 0);
    return `${Math.max(0, Math.round(((bytes(now) - bytes(before)) * 8) / 1000 / seconds))} kbit/s`;
  };
  const [first] = media;
  return {
    codec: media.map(({ codec }) => codec).join(', ') || '–',
    received: rate('tx'),
    sent: rate('rx'),
    lost: `${media.reduce((sum, { rx, client }) => sum + rx.lost + client.lost, 0)} packets`,
    jitter: first === undefined ? '–' : String(first.client.jitter),
    roundTrip: first === undefined || first.rtt_count === 0 ? '–' : `${first.rtt} ms`,
  };
}
