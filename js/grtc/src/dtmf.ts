// Digits: `sendDTMF` of the guide on the browser's DTMF sender.

export interface DtmfOptions {
  /** Milliseconds a tone lasts, 70 to 6000. Default 100. */
  duration?: number;
  /** Milliseconds between tones, at least 50. Default 50. */
  tonegap?: number;
}

const kDuration = 100;
const kDurationMin = 70;
const kDurationMax = 6000;
const kGap = 50;
const kGapMin = 50;

/** 0 if the tones are on their way, -1 if not: no sender, other characters than 0-9 * # A-D, a limit not kept. */
export function sendTones(dtmf: RTCDTMFSender | null, tones: unknown, options: DtmfOptions | null = {}): 0 | -1 {
  const text = typeof tones === 'number' ? String(tones) : tones;
  if (dtmf === null || typeof text !== 'string' || !/^[0-9*#A-D]+$/i.test(text)) return -1;
  const duration = milliseconds(options?.duration, kDuration);
  const gap = milliseconds(options?.tonegap, kGap);
  if (!(duration >= kDurationMin && duration <= kDurationMax) || !(gap >= kGapMin && Number.isFinite(gap))) return -1;
  try {
    // The sender forgets what it has not played yet, so that goes first again.
    dtmf.insertDTMF(dtmf.toneBuffer + text.toUpperCase(), duration, gap);
    return 0;
  } catch {
    return -1;
  }
}

/** Forms give numbers as text, and nothing as an empty one. */
function milliseconds(value: unknown, fallback: number): number {
  if (value === undefined || value === null || value === '') return fallback;
  return typeof value === 'string' ? Number(value) : typeof value === 'number' ? value : Number.NaN;
}
