// Constraints: what to ask of the camera and microphone, and which media a call is to have.

export type SourceConstraint = boolean | MediaTrackConstraints | LegacyConstraints;

/** The form of browsers long gone, which the guide's examples still use: `{mandatory: {minWidth: 360}}`. */
export interface LegacyConstraints {
  mandatory?: Readonly<Record<string, unknown>>;
  optional?: readonly Readonly<Record<string, unknown>>[];
}

/** Whether a call has a medium. True: send what the local source gives, and receive. The words narrow it (ours). */
export type MediaConstraint = boolean | 'sendrecv' | 'sendonly' | 'recvonly';

/** What a call shall look like, by kind. */
export interface WantedMedia {
  readonly audio: MediaConstraint;
  readonly video: MediaConstraint;
}

export type MediaKind = keyof WantedMedia;
export const kKinds: readonly MediaKind[] = ['audio', 'video']; // video last: signalling, section 6

/** In the form that getUserMedia takes. Without a value a medium is wanted. */
export function sourceConstraint(value: SourceConstraint | null | undefined): boolean | MediaTrackConstraints {
  if (value === undefined || value === null) return true;
  if (typeof value === 'boolean') return value;
  const word: unknown = value;
  if (typeof word === 'number') return word !== 0;
  if (typeof word !== 'object') return word !== 'false'; // forms give words
  return isLegacy(value) ? fromLegacy(value) : value;
}

/** A page's argument as a constraint; anything that is none means "not given". */
export function mediaConstraint(value: unknown): MediaConstraint | undefined {
  if (typeof value === 'boolean') return value;
  if (value === 'true' || value === 'false') return value === 'true';
  if (value === 0 || value === 1) return value === 1;
  if (value === 'sendrecv' || value === 'sendonly' || value === 'recvonly') return value;
  return undefined;
}

/** The direction to ask for, or null if the call is not to have the medium. */
export function directionFor(wanted: MediaConstraint, hasSource: boolean): RTCRtpTransceiverDirection | null {
  if (wanted === false) return null;
  const send = hasSource && wanted !== 'recvonly';
  const receive = wanted !== 'sendonly';
  if (send) return receive ? 'sendrecv' : 'sendonly';
  return receive ? 'recvonly' : null;
}

function isLegacy(value: MediaTrackConstraints | LegacyConstraints): value is LegacyConstraints {
  return 'mandatory' in value || 'optional' in value;
}

function fromLegacy(legacy: LegacyConstraints): MediaTrackConstraints {
  const result = new Map<string, Record<string, unknown>>();
  const put = (name: string, strength: string, value: unknown): void => {
    result.set(name, { ...result.get(name), [strength]: value });
  };
  for (const entry of legacy.optional ?? []) {
    for (const [name, value] of Object.entries(entry)) put(modernName(name), 'ideal', value);
  }
  for (const [name, value] of Object.entries(legacy.mandatory ?? {})) put(modernName(name), strengthOf(name), value);
  return Object.fromEntries(result);
}

/** minWidth, maxWidth -> width; sourceId -> deviceId; googEchoCancellation -> echoCancellation. */
function modernName(name: string): string {
  if (name === 'sourceId') return 'deviceId';
  const bare = name.replace(/^(min|max|goog)(?=[A-Z])/, '');
  return bare.charAt(0).toLowerCase() + bare.slice(1);
}

function strengthOf(name: string): 'min' | 'max' | 'exact' {
  if (/^min[A-Z]/.test(name)) return 'min';
  return /^max[A-Z]/.test(name) ? 'max' : 'exact';
}
