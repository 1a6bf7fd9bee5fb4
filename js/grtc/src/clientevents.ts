// Every event of a client, with what it carries (guide, "Grtc.Client", "Events").

import type { InfoData } from './attached.js';
import { EventHook } from './events.js';
import type { ProgressInfo, ServerStats } from './wire.js';

export interface GatewayErrorInfo {
  /** ROAP's error type: NOMATCH, TIMEOUT, REFUSED, CONFLICT, DOUBLECONFLICT, FAILED. */
  error: string;
  /** The SIP status and reason of a call that failed (ours). */
  sipStatus?: number;
  reason?: string;
}

export interface ClientEventMap {
  onConnect: { message: string };
  onDisconnect: { message: string };
  onRegister: { message: string };
  onFailed: { message: string };
  onConnectionError: { status: string };
  onGatewayError: GatewayErrorInfo;
  onWebrtcError: { error: string };
  onIceDisconnected: { status: string };
  onIncomingCall: { peer: string };
  /** Obsolete: fires after onIncomingCall for a call without an offer that nobody has accepted or rejected by then. */
  onInvite: { peer: string };
  onInfoFromPeer: InfoData;
  onMediaSuccess: { stream: MediaStream };
  onMediaFailure: { message: string };
  onNotifyEvent: { peer: string; event: 'talk' | 'hold' };
  onPeerNoanswer: { peer: string };
  onPeerClosing: { peer: string };
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
