// The frames of the WebSocket: lines `name: value`, an empty line, the body (docs/protocols/signalling.md).

export interface Frame {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export function writeFrame(headers: Readonly<Record<string, string | number>>, body = ''): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\n`);
  return `${lines.join('')}\n${body}`;
}

/** Names in lower case. A line without a colon means nothing; without an empty line there is no body. */
export function readFrame(text: string): Frame {
  const end = /\r?\n\r?\n|^\r?\n/.exec(text);
  const head = end === null ? text : text.slice(0, end.index);
  const body = end === null ? '' : text.slice(end.index + end[0].length);
  const headers = new Map<string, string>();
  for (const line of head.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { headers, body };
}

/** The number that a header holds, or null. */
export function numberOf(text: string | null | undefined): number | null {
  return typeof text === 'string' && /^[0-9]{1,15}$/.test(text) ? Number(text) : null;
}
