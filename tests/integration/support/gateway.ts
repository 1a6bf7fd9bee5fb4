// The gateway under test: one process with a configuration of its own, all ports chosen by the system.
import { existsSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, scratchFolder, type Exit } from './program';

export const kBinary = process.env['CROSSPOINT_BINARY'] ?? fileURLToPath(new URL('../../../build/release/crosspoint', import.meta.url));

/** Sections of the TOML file, on top of what every test needs. */
export type Configuration = Record<string, Record<string, string | number | boolean | string[]>>;

const kDefaults: Configuration = {
  http: { root: fileURLToPath(new URL('../../../build/web', import.meta.url)) },
  rsmp: { 'http-port': 0 },
  'sip-server': { port: 0 },
  media: { workers: 1 },
};

export class Gateway {
  private constructor(
    readonly program: Program,
    readonly http: string, // host:port
    readonly sip: string,
    readonly sipServer: string, // of the embedded server; empty without it
    readonly isSecure: boolean, // over TLS
  ) {}

  static async start(configuration: Configuration = {}): Promise<Gateway> {
    const program = Gateway.launch(toToml(merge(kDefaults, configuration)));
    const [line] = await program.waitForOutput(/ready .*http=.*/);
    const value = (name: string): string => new RegExp(`(?:^| )${name}=(\\S+)`).exec(line)?.[1] ?? '';
    const isSecure = Boolean(configuration['http']?.['tls-certificate']);
    return new Gateway(program, value('http'), value('sip'), value('sip-server'), isSecure);
  }

  /** Starts it with this configuration file, whatever becomes of it. */
  static launch(toml: string, options: string[] = []): Program {
    if (!existsSync(kBinary)) throw new Error(`no gateway at ${kBinary}: run ./run --build-only`);
    const file = join(scratchFolder('gateway'), 'crosspoint.toml');
    writeFileSync(file, toml);
    return new Program('crosspoint', kBinary, ['--config', file, ...options]);
  }

  get url(): string {
    return `${this.isSecure ? 'https' : 'http'}://${this.http}`;
  }

  /** What it counts under this name, without the prefix. */
  async metric(name: string): Promise<number> {
    const text = this.isSecure ? await readSecurely(`${this.url}/metrics`) : await (await fetch(`${this.url}/metrics`)).text();
    return Number(new RegExp(`^crosspoint_${name}(?:\\{.*\\})? (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  }

  /** Ends it as an operator would. Anything but a clean end is an error. */
  async stop(): Promise<Exit> {
    const exit = await this.program.stop();
    if (exit.code !== 0) throw new Error(`the gateway ended with ${JSON.stringify(exit)}\n${this.program.log.slice(-3_000)}`);
    return exit;
  }
}

/** Of a gateway of our own: whatever its certificate says. */
function readSecurely(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { rejectUnauthorized: false, agent: false }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (part: string) => (text += part));
      reply.on('end', () => resolve(text)).on('error', reject);
    });
    asked.on('error', reject).end();
  });
}

export function toToml(configuration: Configuration): string {
  return Object.entries(configuration)
    .map(([section, keys]) => `[${section}]\n${Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`).join('')}`)
    .join('\n');
}

/** Section by section; keys of `more` win. */
export function merge(base: Configuration, more: Configuration): Configuration {
  const sections = new Set([...Object.keys(base), ...Object.keys(more)]);
  return Object.fromEntries([...sections].map((name) => [name, { ...base[name], ...more[name] }]));
}
