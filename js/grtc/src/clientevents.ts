// Every event of a client, with what it carries (guide, "Grtc.Client", "Events").

import type { InfoData } from './attached.js';
import { EventHook } from './events.js';
import type { ProgressInfo, ServerStats } from './wire.js';

/** Why something failed. All but `error` are Crosspoint's own. */
export interface FailureDetails {
  /** ROAP's error type: NOMATCH, TIMEOUT, REFUSED, CONFLICT, DOUBLECONFLICT, FAILED. */
  error?: string;
  sipStatus?: number;
  /** In words. */
  reason?: string;
}

export interface GatewayErrorInfo extends FailureDetails {
  error: string;
  /** All of it in one sentence. */
  message: string;
}

export interface ClientEventMap {
  onConnect: { message: string };
  onDisconnect: { message: string };
  onRegister: { message: string };
  /** `status` is that of the gateway's reply, `sipStatus` that of the REGISTER where the reply tells it (ours). */
  onFailed: { message: string; status?: number; sipStatus?: number };
  onConnectionError: { status: string };
  onGatewayError: GatewayErrorInfo;
  onWebrtcError: { error: string };
  /** Crosspoint's own: signed in again by itself after a failure; `resumed`: the session, with its call, goes on. */
  onReconnect: { message: string; resumed: boolean };
  onIceDisconnected: { status: string };
  onIncomingCall: { peer: string };
  /** Obsolete: fires after onIncomingCall for a call without an offer that nobody has accepted or rejected by then. */
  onInvite: { peer: string };
  onInfoFromPeer: InfoData;
  onMediaSuccess: { stream: MediaStream };
  /** `name` is the browser's ("NotAllowedError") (ours). */
  onMediaFailure: { message: string; name?: string };
  onNotifyEvent: { peer: string; event: 'talk' | 'hold' };
  onPeerNoanswer: { peer: string };
  /** With the failure, if that is why (ours). */
  onPeerClosing: { peer: string } & FailureDetails;
  onStatsFromServer: ServerStats;
  /** Crosspoint's own: how the setup of a call goes on (`state` is "ringing", "answered", ...). */
  onProgress: ProgressInfo & { peer: string };
}

export type ClientEvents = { readonly [Name in keyof ClientEventMap]: EventHook<ClientEventMap[Name]> };

export function createClientEvents(report: (error: unknown) => void): ClientEvents {
  const hook = <T>(): EventHook<T> => new EventHook<T>(report);
  return {
    onConnect: hook(),
    onDisconnect: hook(),
    onRegister: hook(),
    onFailed: hook(),
    onConnectionError: hook(),
    onGatewayError: hook(),
    onWebrtcError: hook(),
    onReconnect: hook(),
    onIceDisconnected: hook(),
    onIncomingCall: hook(),
    onInvite: hook(),
    onInfoFromPeer: hook(),
    onMediaSuccess: hook(),
    onMediaFailure: hook(),
    onNotifyEvent: hook(),
    onPeerNoanswer: hook(),
    onPeerClosing: hook(),
    onStatsFromServer: hook(),
    onProgress: hook(),
  };
}

/** "REFUSED: 486 Busy Here". */
export function explain({ error, sipStatus, reason }: FailureDetails): string {
  const details = [sipStatus, reason].filter((part) => part !== undefined && part !== '').join(' ');
  return details === '' ? (error ?? '') : `${error ?? 'FAILED'}: ${details}`;
}
