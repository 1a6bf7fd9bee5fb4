// One program that a test starts: its output is kept, it is ended by its own pid, and it never outlives the test run.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until, within } from './wait';

const running = new Set<ChildProcess>();
const folders: string[] = [];
const cleanUp = (): void => {
  running.forEach(killGroup);
  folders.forEach(remove);
};
process.on('exit', cleanUp);
// Vitest ends this process by a signal, or is itself ended: neither is an 'exit', and process.exit() is not to be called under it.
for (const end of ['SIGTERM', 'disconnect']) {
  process.once(end, () => {
    cleanUp();
    setImmediate(() => process.kill(process.pid, 'SIGKILL'));
  });
}

/** Somebody who is being killed may still write into it. */
function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 4, retryDelay: 20 });
  } catch {
    // It stays, and the others need not.
  }
}

/** A program that others start for us, in a process group of its own: it does not outlive the test run either. */
export function endWithUs(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
}

/** The program and what it has started: Kamailio's workers would stay. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

export class Program {
  readonly exited: Promise<Exit>;
  private readonly child: ChildProcess;
  private output = '';
  private exit: Exit | undefined;

  constructor(
    readonly name: string,
    command: string,
    args: string[],
    options: ProgramOptions = {},
  ) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
    running.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        running.delete(this.child);
        this.exit ??= exit;
        resolve(this.exit);
      };
      this.child.on('error', (error) => {
        this.output += `${error.message}\n`;
        settle({ code: 127, signal: null });
      });
      this.child.on('close', (code, signal) => settle({ code, signal }));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Everything it has printed. */
  get log(): string {
    return this.output;
  }

  /** The first match in what it prints, from `from` on. Fails at once if the program ends before. */
  async waitForOutput(pattern: RegExp, deadline?: number, from = 0): Promise<RegExpMatchArray> {
    const found = await until(
      `${this.name} prints ${pattern}`,
      () => this.output.slice(from).match(pattern) ?? (this.exit ? 'ended' : undefined),
      deadline,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.tail()}`);
    });
    if (found === 'ended') throw new Error(`${this.name} ended (${JSON.stringify(this.exit)}) before it printed ${pattern}\n${this.tail()}`);
    return found as RegExpMatchArray;
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.exit) this.child.kill(signal);
  }

  /** Asks it to end, and insists after a while. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(signal);
    return within(`${this.name} ends`, this.exited, 10_000).catch(async () => {
      killGroup(this.child);
      return this.exited;
    });
  }

  private tail(): string {
    return this.output.split('\n').slice(-30).join('\n');
  }
}

/** A folder of its own for a program's files, gone at the end of the run. */
export function scratchFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `crosspoint-${name}-`));
  folders.push(folder);
  return folder;
}
