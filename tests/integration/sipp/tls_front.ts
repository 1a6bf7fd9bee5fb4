// TLS for sipp, which is built without it here: what comes to the SIP server's port is deciphered and goes on to sipp by TCP, and back.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createServer, type Server } from 'node:tls';
import { makeCertificate } from '../support/certificate';
import type { Configuration } from '../support/gateway';

const kDomain = 'crosspoint.test';

export class TlsFront {
  private constructor(
    private readonly server: Server,
    readonly farPort: number, // where sipp is to listen
    readonly trusted: Configuration[string], // for [sip]: who the server is, and by whose word
  ) {}

  static async open(port: number, farPort: number): Promise<TlsFront> {
    const { certificate, key, pem } = makeCertificate(`DNS:${kDomain}`);
    const server = createServer({ cert: pem, key: readFileSync(key) }, (near) => {
      const far = connect(farPort, '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const [one, other] of [[near, far], [far, near]] as const) one.on('error', () => other.destroy()).on('close', () => other.destroy());
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return new TlsFront(server, farPort, { domain: kDomain, 'tls-ca': certificate });
  }

  close(): void {
    this.server.close();
  }
}
