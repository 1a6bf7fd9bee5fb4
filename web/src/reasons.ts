// Why a call failed, in words for the person who made it.

const kStatuses = new Map<number, (peer: string) => string>([
  [403, (peer) => `You are not allowed to call ${peer}.`],
  [404, (peer) => `There is no ${peer}.`],
  [408, (peer) => `${peer} cannot be reached.`],
  [410, (peer) => `${peer} is no longer in use.`],
  [415, (peer) => `${peer} speaks none of the codecs offered.`],
  [480, (peer) => `${peer} is not available at the moment.`],
  [484, () => 'The number is incomplete.'],
  [486, (peer) => `${peer} is busy.`],
  [487, () => 'The call was cancelled.'],
  [488, (peer) => `${peer} speaks none of the codecs offered.`],
  [503, () => 'The phone system is not available. Please try again later.'],
  [600, (peer) => `${peer} is busy.`],
  [603, (peer) => `${peer} declined the call.`],
  [604, (peer) => `There is no ${peer}.`],
  [606, (peer) => `${peer} speaks none of the codecs offered.`],
]);

const kErrors = new Map<string, (peer: string) => string>([
  ['NOMATCH', () => 'The gateway does not know this call any more.'],
  ['TIMEOUT', (peer) => `${peer} did not answer.`],
  ['REFUSED', (peer) => `${peer} did not take the call.`],
  ['CONFLICT', () => 'Both sides changed the call at once. Please try again.'],
  ['DOUBLECONFLICT', () => 'Both sides changed the call at once. Please try again.'],
]);

export interface Failure {
  readonly error: string;
  readonly sipStatus?: number;
  readonly reason?: string;
}

/** The gateway's own sentence (docs/errors.md), which knows most; ours where it says none. The status goes behind it. */
export function explainFailure(peer: string, { error, sipStatus, reason }: Failure): string {
  const ours = (kStatuses.get(sipStatus ?? 0) ?? kErrors.get(error))?.(peer) ?? `The call to ${peer} failed.`;
  const theirs = (reason ?? '').trim().replace(/^The called party\b/, () => peer);
  const text = theirs === '' ? ours : theirs.replace(/\.?$/, '.');
  return sipStatus === undefined ? text : `${text} (${sipStatus})`;
}

/** The call stays where it is. */
export function explainTransferFailure(target: string, { sipStatus, reason }: Omit<Failure, 'error'>): string {
  const why = explainFailure(target, {
    error: 'FAILED',
    ...(sipStatus === undefined ? {} : { sipStatus }),
    ...(reason === undefined ? {} : { reason }),
  });
  return `The call was not transferred. ${why}`;
}

/** What the browser said when asked for devices. */
export function explainMediaFailure(message: string): string {
  if (message.includes('NotAllowedError')) {
    return 'The browser does not let this page use the microphone. Allow it next to the address and try again.';
  }
  if (message.includes('NotFoundError')) return 'No microphone was found.';
  if (message.includes('NotReadableError')) return 'The microphone or camera is in use by another program.';
  return `The microphone cannot be used: ${message}`;
}

export function explainSignInFailure(name: string, message: string): string {
  if (/\b40[137]\b|forbidden|unauthori[sz]ed/i.test(message)) {
    return `Signing in as ${name} was refused: ${message}. Check number and password.`;
  }
  return `Signing in failed: ${message}`;
}
