// HAProxy in front of two gateways, with the configuration that deploy/haproxy.cfg recommends.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './ports';
import { Program, scratchFolder } from './program';
import { until } from './wait';

const kExample = fileURLToPath(new URL('../../../deploy/haproxy.cfg', import.meta.url));
const [kOurs, kFirst, kSecond] = ['127.0.0.1:8080', '127.0.0.1:8086', '127.0.0.1:8087'] as const;

export class LoadBalancer {
  private constructor(
    readonly program: Program,
    readonly address: string,
  ) {}

  get url(): string {
    return `http://${this.address}`;
  }

  /** Both are host:port. */
  static async start(first: string, second: string): Promise<LoadBalancer> {
    const address = `127.0.0.1:${await freePorts()}`;
    const file = join(scratchFolder('haproxy'), 'haproxy.cfg');
    const example = readFileSync(kExample, 'utf8');
    for (const theirs of [kOurs, kFirst, kSecond]) {
      if (example.split(theirs).length !== 2) throw new Error(`${kExample} does not name ${theirs} once`);
    }
    writeFileSync(file, example.replace(kFirst, first).replace(kSecond, second).replace(kOurs, address));
    const balancer = new LoadBalancer(new Program('haproxy', '/usr/sbin/haproxy', ['-db', '-V', '-f', file]), address);
    await until('the load balancer answers', async () => (await fetch(`${balancer.url}/health`)).ok);
    return balancer;
  }

  async stop(): Promise<void> {
    await this.program.stop();
  }
}
