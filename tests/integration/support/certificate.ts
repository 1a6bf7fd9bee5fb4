// A certificate of a test's own, with its key, in PEM files.
import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from './program';

export interface TestCertificate {
  readonly certificate: string; // the files' names
  readonly key: string;
  readonly pem: Buffer;
  readonly publicKeyHash: string; // SHA-256 of the SubjectPublicKeyInfo, Base64
}

/** `names` as in a subjectAltName: "DNS:gateway.test", "IP:127.0.0.1". */
export function makeCertificate(...names: string[]): TestCertificate {
  const folder = scratchFolder('tls');
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=test', '-addext', `subjectAltName=${names.join(',')}`];
  execFileSync('openssl', ['req', '-x509', ...kind, ...name, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  const pem = readFileSync(certificate);
  const publicKey = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return { certificate, key, pem, publicKeyHash: createHash('sha256').update(publicKey).digest('base64') };
}
