// A softphone: headless baresip that plays a tone, whose loudspeaker is recorded, and is driven over ctrl_tcp (JSON in netstrings).
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports';
import { Program, scratchFolder } from './program';
import type { Talker } from './talk';
import { plays, toneOfRaw, type Tone } from './tone';
import { kDeadline, until, within } from './wait';

const kSampleRate = 8_000; // of its loudspeaker

export interface PhoneOptions {
  account: string; // 2001
  server: string; // host:port of the SIP server
  tone: number; // Hz that it plays
  codecs?: string[]; // as baresip names them: PCMU/8000/1, opus/48000/2, G722/16000/1
  password?: string;
  transport?: 'udp' | 'tcp';
  autoAnswer?: boolean;
  callsMax?: number;
}

export interface PhoneEvent {
  type: string; // REGISTER_OK, CALL_INCOMING, CALL_RINGING, CALL_ESTABLISHED, CALL_CLOSED, ...
  class?: string;
  param?: string;
  peeruri?: string;
  direction?: string;
}

export class Phone implements Talker {
  readonly events: PhoneEvent[] = [];
  private readonly pending = new Map<string, (reply: { ok: boolean; data: string }) => void>();
  private received = Buffer.alloc(0);
  private tokens = 0;

  private constructor(
    readonly program: Program,
    private readonly control: Socket,
    private readonly recording: string,
    readonly options: PhoneOptions,
  ) {
    control.on('data', (chunk) => this.handleData(chunk));
    control.on('error', () => control.destroy());
  }

  /** Starts it and waits until it is registered. */
  static async start(options: PhoneOptions): Promise<Phone> {
    const folder = scratchFolder(`phone-${options.account}`);
    const sipPort = await freePorts(2); // the next one is its TLS port
    const controlPort = await freePorts();
    const mediaPort = await freePorts(20);
    writeFileSync(join(folder, 'config'), configuration(options, sipPort, controlPort, mediaPort));
    writeFileSync(join(folder, 'accounts'), account(options));
    writeFileSync(join(folder, 'asound.conf'), loudspeaker(join(folder, 'heard.raw')));
    const env = { ...process.env, ALSA_CONFIG_PATH: join(folder, 'asound.conf') };
    const program = new Program(`baresip ${options.account}`, '/usr/bin/baresip', ['-f', folder, '-v'], { env });
    await program.waitForOutput(/ctrl_tcp: TCP socket listening/);
    const phone = new Phone(program, await open(controlPort), join(folder, 'heard.raw'), options);
    // It may have registered before the control connection was there.
    await until(`${options.account} is registered`, () => phone.seen('REGISTER_OK') || /200 OK.*\[\d+ binding/.test(program.log));
    return phone;
  }

  get tone(): number {
    return this.options.tone;
  }

  get uri(): string {
    return `sip:${this.options.account}@${this.options.server}`;
  }

  /** One command of baresip's menu: dial, accept, hangup, hold, resume, sndcode, ... */
  async command(command: string, params = ''): Promise<string> {
    const token = String(++this.tokens);
    const reply = new Promise<{ ok: boolean; data: string }>((resolve) => this.pending.set(token, resolve));
    const text = JSON.stringify({ command, params, token });
    this.control.write(`${Buffer.byteLength(text)}:${text},`);
    const { ok, data } = await within(`${this.options.account} answers to ${command}`, reply);
    if (!ok) throw new Error(`baresip ${command} ${params}: ${data}`);
    return data;
  }

  dial = (number: string): Promise<string> => this.command('dial', number.includes(':') ? number : `sip:${number}@${this.options.server}`);
  accept = (): Promise<string> => this.command('accept');
  hangUp = (): Promise<string> => this.command('hangup'); // of a call that rings here: 486
  hold = (): Promise<string> => this.command('hold');
  resume = (): Promise<string> => this.command('resume');

  /** It rings, and is accepted. */
  async answer(): Promise<void> {
    await this.waitFor('CALL_INCOMING');
    await this.accept();
  }

  /** The next event of a type that has not been waited for yet. */
  async waitFor(type: string, deadline = kDeadline): Promise<PhoneEvent> {
    const index = await until(
      `baresip ${this.options.account}: ${type}`,
      () => {
        const found = this.events.findIndex((event) => event.type === type);
        return found < 0 ? undefined : { found };
      },
      deadline,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; events: ${this.events.map((event) => event.type).join(' ')}\n${this.program.log.slice(-1500)}`);
    });
    return this.events.splice(index.found, 1)[0]!;
  }

  seen(type: string): boolean {
    return this.events.some((event) => event.type === type);
  }

  forgetEvents(): void {
    this.events.length = 0;
  }

  /** What came out of its loudspeaker during the last half second, silence included. */
  heard(): Tone | undefined {
    return this.recordedBytes() > 0 ? toneOfRaw(this.recording, kSampleRate) : undefined;
  }

  async waitForTone(frequency: number, deadline = kDeadline): Promise<Tone> {
    let tone: Tone | undefined;
    const from = this.recordedBytes(); // only what is heard from now on counts
    return until(
      `phone ${this.options.account} hears ${frequency} Hz`,
      () => {
        tone = this.heard();
        return this.recordedBytes() > from + kSampleRate && plays(tone, frequency) ? tone : undefined;
      },
      deadline,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it heard ${JSON.stringify(tone)}`);
    });
  }

  /** Its loudspeaker has gone quiet. */
  async waitForSilence(deadline = kDeadline): Promise<void> {
    await until(`phone ${this.options.account} hears nothing`, () => (this.heard()?.rms ?? 1) < 0.003, deadline);
  }

  async stop(): Promise<void> {
    this.control.destroy();
    await this.program.stop();
  }

  private recordedBytes(): number {
    return statSync(this.recording, { throwIfNoEntry: false })?.size ?? 0;
  }

  private handleData(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    for (;;) {
      const colon = this.received.indexOf(':');
      if (colon < 0) return;
      const length = Number(this.received.toString('latin1', 0, colon));
      if (this.received.length < colon + length + 2) return;
      const text = this.received.toString('utf8', colon + 1, colon + 1 + length);
      this.received = this.received.subarray(colon + length + 2);
      this.handleMessage(JSON.parse(text) as Record<string, unknown>);
    }
  }

  private handleMessage(message: Record<string, unknown>): void {
    if (message['event']) {
      this.events.push(message as unknown as PhoneEvent);
      return;
    }
    const token = String(message['token']);
    this.pending.get(token)?.({ ok: message['ok'] === true, data: String(message['data'] ?? '') });
    this.pending.delete(token);
  }
}

function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

// ALSA's file plug-in writes what is played into a pipe. (baresip's own recording filter is lost at the first re-INVITE.)
function loudspeaker(path: string): string {
  const recorder = fileURLToPath(new URL('recorder.py', import.meta.url));
  return `pcm.nothing { type null }
pcm.loudspeaker { type file slave.pcm nothing format raw file "| ${recorder} ${kSampleRate * 2} ${path}" }
`;
}

function account(options: PhoneOptions): string {
  const parameters = [
    options.password ? `auth_user=${options.account};auth_pass=${options.password}` : 'auth_pass=none',
    'regint=120',
    `answermode=${options.autoAnswer ? 'auto' : 'manual'}`,
    `audio_codecs=${(options.codecs ?? ['PCMU/8000/1']).join(',')}`,
    'ptime=20',
  ];
  return `<sip:${options.account}@${options.server};transport=${options.transport ?? 'udp'}>;${parameters.join(';')}\n`;
}

function configuration(options: PhoneOptions, sipPort: number, controlPort: number, mediaPort: number): string {
  return `poll_method epoll
sip_listen 127.0.0.1:${sipPort}
net_interface 127.0.0.1
call_local_timeout 120
call_max_calls ${options.callsMax ?? 4}
audio_source ausine,${options.tone}
audio_player alsa,loudspeaker
audio_alert aubridge,alert
ringback_disabled yes
ausrc_srate 48000
auplay_srate ${kSampleRate}
ausrc_channels 2
auplay_channels 1
audio_level no
rtp_ports ${mediaPort}-${mediaPort + 19}
rtp_timeout 0
ctrl_tcp_listen 127.0.0.1:${controlPort}
module_path /usr/lib/baresip/modules
${['g711', 'g722', 'opus', 'ausine', 'aubridge', 'alsa'].map((name) => `module ${name}.so`).join('\n')}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
`;
}
