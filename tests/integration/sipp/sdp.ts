// Session descriptions of a plain phone.

const session = (version: number): string =>
  `v=0\no=far 1 ${version} IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\n`;

export interface PhoneMedia {
  version?: number; // of the description; grows with each change
  port?: number;
  payload?: number;
  codec?: string;
  digits?: number; // payload number of telephone-event
  direction?: 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';
}

export function phoneSdp(media: PhoneMedia = {}): string {
  const { version = 1, port = 6_000, payload = 0, codec = 'PCMU/8000', digits = 101, direction = 'sendrecv' } = media;
  const codecs = `a=rtpmap:${payload} ${codec}\na=rtpmap:${digits} telephone-event/8000\n`;
  return `${session(version)}m=audio ${port} RTP/AVP ${payload} ${digits}\n${codecs}a=${direction}\n`;
}

/** A codec that no page of ours speaks. */
export const kForeign = { payload: 18, codec: 'G729/8000' };
/** What holds somebody, in an offer. */
export const kHold = { body: 'a=(inactive|sendonly)' };
/** A phone that is held, or holds. */
export const heldSdp = (version: number): string => phoneSdp({ version, direction: 'inactive' });

export const kOffer = phoneSdp();
export const kAnswer = phoneSdp();
