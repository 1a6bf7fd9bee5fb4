// Whether a gateway gives any sign of life, in a short time.

import { Limit } from './delay.js';
import type { Platform } from './platform/platform.js';

const kProbeTimeout = 2500;

/** Any reply will do. Resolves to true also when the signal is aborted: then nobody wants to know. */
export async function isReachable(platform: Platform, gateway: string, signal: AbortSignal): Promise<boolean> {
  const limit = new Limit(signal, kProbeTimeout);
  try {
    // Harmless: a session that does not exist may always sign out.
    await platform.request({ method: 'GET', url: `${gateway}/sign_out?id=none`, probe: true, signal: limit.signal });
    return true;
  } catch {
    return signal.aborted;
  } finally {
    limit.release();
  }
}
