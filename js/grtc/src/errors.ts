// What the API throws: one class, eight codes (guide, "Grtc.Error").
//
// `name` holds the code and equals the constant of the same name, so `e.name === Grtc.NOT_READY_ERROR` works; `code`
// is the number that the guide's table gives it.

export const CONFIGURATION_ERROR = 'CONFIGURATION_ERROR';
export const CONNECTION_ERROR = 'CONNECTION_ERROR';
export const WEBRTC_NOT_SUPPORTED_ERROR = 'WEBRTC_NOT_SUPPORTED_ERROR';
export const INVALID_STATE_ERROR = 'INVALID_STATE_ERROR';
export const NOT_READY_ERROR = 'NOT_READY_ERROR';
export const GRTC_ERROR = 'GRTC_ERROR';
export const GRTC_WARN = 'GRTC_WARN';
export const WEBRTC_ERROR = 'WEBRTC_ERROR';

const kCodes = {
  [CONFIGURATION_ERROR]: 1,
  [CONNECTION_ERROR]: 2,
  [WEBRTC_NOT_SUPPORTED_ERROR]: 3,
  [INVALID_STATE_ERROR]: 4,
  [NOT_READY_ERROR]: 5,
  [GRTC_ERROR]: 6,
  [GRTC_WARN]: 7,
  [WEBRTC_ERROR]: 8,
} as const;

export type ErrorName = keyof typeof kCodes;

export class GrtcError extends Error {
  override readonly name: ErrorName;
  readonly code: number;

  constructor(name: ErrorName, message = '', options?: { cause?: unknown }) {
    super(message, options);
    this.name = name;
    this.code = kCodes[name];
  }
}

/** The text of whatever was thrown, with the name that browsers give their errors ("NotAllowedError: ..."). */
export function describe(error: unknown): string {
  if (error instanceof Error) {
    const plain = error.name === 'Error' || error.name === '';
    return plain ? error.message : `${error.name}: ${error.message}`;
  }
  return String(error);
}
