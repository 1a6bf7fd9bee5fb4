// The few things that grtc reads and changes in an SDP. Everything else in it is the browser's and the gateway's.

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export interface Section {
  readonly kind: string;
  /** False for a refused section (port 0, unless it is bundle-only: RFC 9143 §6). */
  readonly live: boolean;
  readonly direction: Direction;
}

/** A candidate as the wire has it. The index is what counts; `sdpMid` is not always the SDP's. */
export interface Candidate {
  candidate: string;
  sdpMLineIndex?: number | null;
  sdpMid?: string | null;
  usernameFragment?: string | null;
}

/** The session part and each media section, as lines without their ends. */
function split(sdp: string): string[][] {
  const parts: string[][] = [[]];
  for (const line of sdp.split(/\r\n|\r|\n/)) {
    if (line === '') continue;
    if (line.startsWith('m=')) parts.push([]);
    parts.at(-1)?.push(line);
  }
  return parts;
}

function join(parts: readonly (readonly string[])[]): string {
  return `${parts.flat().join('\r\n')}\r\n`;
}

/** The same text with CRLF at every line's end, as browsers want it. */
export function normalize(sdp: string): string {
  return join(split(sdp));
}

export function sectionsOf(sdp: string): Section[] {
  const [session = [], ...media] = split(sdp);
  const fallback = directionOf(session) ?? 'sendrecv';
  return media.map((lines) => {
    const [kind = '', port = '0'] = (lines[0] ?? '').slice(2).split(' ');
    const live = port !== '0' || lines.includes('a=bundle-only');
    return { kind, live, direction: directionOf(lines) ?? fallback };
  });
}

function directionOf(lines: readonly string[]): Direction | undefined {
  for (const line of lines) {
    const match = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/.exec(line);
    if (match?.[1] !== undefined) return match[1] as Direction;
  }
  return undefined;
}

/** Every candidate of the SDP, in the wire's form. */
export function candidatesOf(sdp: string): Candidate[] {
  const [, ...media] = split(sdp);
  return media.flatMap((lines, index) => {
    const sdpMid = valueOf(lines, 'a=mid:');
    const usernameFragment = valueOf(lines, 'a=ice-ufrag:');
    return lines
      .filter((line) => line.startsWith('a=candidate:'))
      .map((line) => ({
        candidate: line.slice(2),
        sdpMid: sdpMid ?? String(index),
        sdpMLineIndex: index,
        ...(usernameFragment === undefined ? {} : { usernameFragment }),
      }));
  });
}

function valueOf(lines: readonly string[], prefix: string): string | undefined {
  return lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
}

/** The SDP with exactly these candidates, each in the section that its index names. */
export function withCandidates(sdp: string, candidates: readonly Candidate[]): string {
  const [session = [], ...media] = split(sdp);
  const rewritten = media.map((lines, index) => {
    const kept = lines.filter((line) => !line.startsWith('a=candidate:'));
    const own = candidates
      .filter((candidate) => candidate.sdpMLineIndex === index && candidate.candidate !== '')
      .map((candidate) => `a=${candidate.candidate.replace(/^a=/, '')}`);
    const end = kept.indexOf('a=end-of-candidates');
    return end < 0 ? [...kept, ...own] : [...kept.slice(0, end), ...own, ...kept.slice(end)];
  });
  return join([session, ...rewritten]);
}

/** Our own SDP with `b=AS:<kbps>` in every video section; 0 takes the limit out. */
export function withVideoBandwidth(sdp: string, kbps: number): string {
  return mapVideo(sdp, (lines) => {
    const kept = lines.filter((line) => !line.startsWith('b=AS:'));
    return kbps > 0 ? withBandwidthLine(kept, kbps) : kept;
  });
}

/** The far end's SDP with our own limit on what we send it; a lower limit of its own stays. */
export function limitedVideoBandwidth(sdp: string, kbps: number): string {
  if (kbps <= 0) return normalize(sdp);
  return mapVideo(sdp, (lines) => {
    const theirs = Number(valueOf(lines, 'b=AS:') ?? Number.POSITIVE_INFINITY);
    const kept = lines.filter((line) => !line.startsWith('b=AS:'));
    return withBandwidthLine(kept, theirs > 0 ? Math.min(theirs, kbps) : kbps);
  });
}

/** The SDP with the sections of these kinds refused (RFC 3264 §6). */
export function withRefused(sdp: string, kinds: readonly string[]): string {
  if (kinds.length === 0) return sdp;
  const [session = [], ...media] = split(sdp);
  const rewritten = media.map(([first = '', ...others]) => {
    const [kind = ''] = first.slice(2).split(' ');
    return [kinds.includes(kind) ? first.replace(/^(m=\S+) \d+/, '$1 0') : first, ...others];
  });
  return join([session, ...rewritten]);
}

function mapVideo(sdp: string, change: (lines: string[]) => string[]): string {
  const [session = [], ...media] = split(sdp);
  return join([session, ...media.map((lines) => (lines[0]?.startsWith('m=video') ? change(lines) : lines))]);
}

/** RFC 8866 §5: b= comes after m=, i= and c=. */
function withBandwidthLine(lines: readonly string[], kbps: number): string[] {
  let at = 1;
  while (lines[at]?.startsWith('i=') || lines[at]?.startsWith('c=')) at += 1;
  return [...lines.slice(0, at), `b=AS:${kbps}`, ...lines.slice(at)];
}
