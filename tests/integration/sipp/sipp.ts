// Runs a script as sipp, which stands for the SIP server of the gateway under test.
import { readFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Gateway, merge, type Configuration } from '../support/gateway';
import { freePorts } from '../support/ports';
import { Program, scratchFolder } from '../support/program';
import { until } from '../support/wait';
import { callee, type Script } from './script';
import { Switchboard } from './switchboard';
import { TlsFront } from './tls_front';
import { WirePage, type SignIn } from './wire_page';

const kScenarioSeconds = 30;

export interface Far {
  done(): Promise<void>; // the script has come to its end; fails with what sipp has seen
}
export interface BenchOptions {
  transport?: 'udp' | 'tcp' | 'tls';
  configuration?: Configuration;
  /** What [sip] says of the SIP server at this port, if not simply that it is there. */
  way?: (port: number) => Configuration[string] | Promise<Configuration[string]>;
}

/** A gateway, and the port on which its SIP server is to be found: sipp takes it, scenario after scenario. */
export class Bench {
  private readonly folder = scratchFolder('sipp');
  private readonly programs: Program[] = [];
  private readonly pages: WirePage[] = [];
  private readonly traces: string[] = [];
  private runs = 0;
  private board: Switchboard | undefined;

  private constructor(
    readonly gateway: Gateway,
    readonly port: number,
    private readonly transport: 'udp' | 'tcp' | 'tls',
    private readonly front: TlsFront | undefined, // sipp itself knows no TLS
  ) {}

  static async start({ transport = 'udp', configuration = {}, way }: BenchOptions = {}): Promise<Bench> {
    const port = await freePorts(1);
    const front = transport === 'tls' ? await TlsFront.open(port, await freePorts(1)) : undefined;
    const server = { server: `sip:127.0.0.1:${port};transport=${transport}`, ...front?.trusted };
    const sip: Configuration = { sip: { ...server, ...kQuiet, ...(await way?.(port)) } };
    return new Bench(await Gateway.start(merge(sip, configuration)), port, transport, front);
  }

  /** Starts sipp with this script. A callee is ready to be called when this returns. */
  far(script: Script, name = 'scenario'): Promise<Far> {
    return this.start(script, name, this.front?.farPort ?? this.port);
  }

  /** Several far ends at once, each called under its number (REGISTER, OPTIONS: under that), and no others any more; UDP only. */
  async fars(scripts: Record<string, Script>): Promise<Record<string, Far>> {
    const ports = Object.fromEntries(await Promise.all(Object.keys(scripts).map(async (user) => [user, await freePorts(1)] as const)));
    this.takeAway();
    this.board = await Switchboard.open(this.port, this.gateway.sip, ports);
    const started = Object.entries(scripts).map(async ([user, script]) => [user, await this.start(script, user, ports[user]!)] as const);
    return Object.fromEntries(await Promise.all(started));
  }

  /** Nobody is at the server's port any more. */
  takeAway(): void {
    this.board?.close();
    this.board = undefined;
  }

  /** One more far end, at a port of its own: a caller calls the gateway past the server's port. */
  async elsewhere(script: Script, port?: number): Promise<Far> {
    return this.start(script, 'elsewhere', port ?? (await freePorts(1)));
  }

  /** The dialog between the gateway and the far end of that number, as a Replaces header names it at the gateway. */
  dialog(user: string): Promise<string> {
    return until(`a call with ${user}`, () => this.board?.dialogs.get(user));
  }

  /** Waits until some far end has seen or said this. */
  async sees(pattern: RegExp): Promise<void> {
    await until(`a SIP message with ${pattern}`, () => this.traces.some((file) => pattern.test(read(file))));
  }

  /** Waits until some far end has got this. */
  async gets(pattern: RegExp): Promise<void> {
    await until(`a far end gets ${pattern}`, () => this.received(pattern).length > 0);
  }

  /** What far ends have got and matches, with the time in ms; a request that came again over UDP (RFC 3261 §17.1) once. */
  received(pattern: RegExp): { at: number; text: string }[] {
    const messages = this.traces.flatMap((file) => read(file).split(/^-{20,} /m)).filter((text) => / message received /.test(text) && pattern.test(text));
    const seen = new Set<string>();
    const fresh = messages.filter((text) => {
      const [, method] = /^CSeq: *\d+ *(\w+)/im.exec(text) ?? [];
      const [, branch] = /branch=([^;,\s]+)/i.exec(text) ?? [];
      const transaction = `${/^SIP\/2\.0/m.test(text) ? seen.size : method} ${branch}`;
      return seen.size < seen.add(transaction).size;
    });
    return fresh.map((text) => ({ at: Date.parse(text.slice(0, '2026-01-01 00:00:00.000'.length).replace(' ', 'T')), text }));
  }

  private async start(script: Script, name: string, port: number): Promise<Far> {
    const run = join(this.folder, `${++this.runs}`);
    writeFileSync(`${run}.xml`, script.xml(name));
    this.traces.push(`${run}.messages`);
    const remote = script.role === 'caller' ? [this.gateway.sip] : [];
    const [socket, at] = this.transport === 'udp' ? (['udp', port] as const) : (['tcp', this.front ? this.port : port] as const);
    const program = new Program('sipp', 'sipp', [
      ...remote,
      ...['-sf', `${run}.xml`, '-i', '127.0.0.1', '-p', String(port), '-t', `${socket[0]}1`, '-m', '1', '-l', '1', '-nostdin'],
      ...['-key', 'here', `127.0.0.1:${at}`, '-key', 'protocol', this.transport.toUpperCase()],
      ...['-timeout', String(kScenarioSeconds), '-timeout_error', '-recv_timeout', String((kScenarioSeconds - 5) * 1_000), '-default_behaviors', 'abortunexp'],
      ...['-trace_err', '-error_file', `${run}.errors`, '-trace_msg', '-message_file', `${run}.messages`],
    ]);
    this.programs.push(program);
    if (script.role === 'callee') await until('sipp listens', () => listens(socket, port));
    return {
      done: async () => {
        const { code } = await program.exited;
        if (code === 0) return;
        const seen = [program.log.slice(-2_000), read(`${run}.errors`), read(`${run}.messages`).slice(-6_000)];
        throw new Error(`sipp ended with ${code}\n${seen.join('\n')}`);
      },
    };
  }

  /** A page that is signed in: anonymously, or as this DN with sipp as its registrar. */
  async page(options: SignIn = {}): Promise<WirePage> {
    const registered = options.dn === undefined ? undefined : await this.far(registrar());
    const page = await this.signIn(options);
    await registered?.done();
    return page;
  }

  async signIn(options: SignIn): Promise<WirePage> {
    const page = await WirePage.signIn(this.gateway, options);
    this.pages.push(page);
    return page;
  }

  async stop(): Promise<void> {
    for (const page of this.pages) page.leave();
    this.takeAway();
    this.front?.close();
    for (const program of this.programs) await program.stop('SIGKILL');
    await this.gateway.program.stop('SIGKILL'); // nobody is there any more to answer its last requests
  }
}

/** Nothing that a scenario has not asked for. */
const kQuiet = { 'options-interval': 0 };

export const registrar = (): Script => callee().take('REGISTER');
/** Is the port of 127.0.0.1 bound (UDP) or listened on (TCP)? */
function listens(transport: 'udp' | 'tcp', port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = read(`/proc/net/${transport}`).split('\n').map((line) => line.trim().split(/ +/)); // number, local, remote, state
  return sockets.some(([, local, , state]) => local === address && (transport === 'udp' || state === '0A'));
}

const read = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '');
