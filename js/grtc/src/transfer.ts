// Transferring a call: what is posted, and what comes back (docs/protocols/signalling.md, section 3.6).

import { GRTC_ERROR, GrtcError } from './errors.js';

const kStates = ['transferring', 'transferred', 'transfer-failed'] as const;
export type TransferState = (typeof kStates)[number];

export interface TransferInfo {
  state: TransferState;
  /** Why it failed. */
  sipStatus?: number;
  reason?: string;
}

export function isTransferState(state: string): state is TransferState {
  return (kStates as readonly string[]).includes(state);
}

/** Throws GRTC_ERROR if that is nobody. */
export function blindTransfer(target: unknown): string {
  const to = typeof target === 'string' || typeof target === 'number' ? String(target).trim() : '';
  if (to === '') throw new GrtcError(GRTC_ERROR, 'Nobody to transfer the call to was given.');
  return `TRANSFER ${JSON.stringify({ to })}`;
}

/** To the far end of another call, in that call's place. */
export function attendedTransfer(to: string, dialog: string): string {
  return `TRANSFER ${JSON.stringify({ to, replaces: dialog })}`;
}
