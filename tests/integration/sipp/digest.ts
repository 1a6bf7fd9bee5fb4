// The other half of digest authentication (RFC 7616, RFC 8760): is what a request claims right?
import { createHash } from 'node:crypto';
import type { Bench } from './sipp';

const kPassword = 'secret'; // of all pages

/** How many credentials far ends have got, each of them right. */
export const rightCredentials = (bench: Bench): number => bench.received(/Authorization:/).reduce((sum, { text }) => sum + check(text), 0);

/** How many credentials this request has; fails on wrong ones. */
function check(request: string): number {
  const sent = /^([A-Z]+) sips?:/m.exec(request)?.[1] ?? '';
  const method = sent === 'ACK' ? 'INVITE' : sent; // RFC 3261 §22.1: it carries the credentials of its INVITE
  const found = [...request.matchAll(/^(?:Proxy-)?Authorization: Digest (.*)$/gim)];
  for (const [, parameters = ''] of found) {
    const of = (name: string): string => new RegExp(`(?:^|[ ,])${name}="?([^",]*)`).exec(parameters)?.[1] ?? '';
    const hash = (...parts: string[]): string => createHash(of('algorithm') === 'SHA-256' ? 'sha256' : 'md5').update(parts.join(':')).digest('hex');
    const secret = hash(of('username'), of('realm'), kPassword);
    const right = hash(secret, of('nonce'), of('nc'), of('cnonce'), of('qop'), hash(method, of('uri')));
    if (of('response') !== right) throw new Error(`not ${right}: ${sent} with ${parameters}`);
  }
  return found.length;
}
