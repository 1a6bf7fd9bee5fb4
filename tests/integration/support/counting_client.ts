// A client of the wire that counts (signalling, section 3): whatever happens to its connections, what it is sent comes out once and in
// order, and what it sends arrives once and in order. As small as that can be done.
import { Agent, request } from 'node:http';
import { FrameClient } from './frames';

export type Way = 'poll' | 'socket' | 'switching';

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly sequence: number | undefined;
}

export class CountingClient {
  /** What has come, in order. */
  readonly received: string[] = [];
  onMessage: (body: string) => void = () => undefined;
  /** Connections of each kind that it has made, messages that came again, and how sockets ended. */
  readonly seen = { polls: 0, sockets: 0, repeated: 0, closings: new Map<number, number>() };
  /** Why the last connection ended, if it was not well. */
  failure = '';
  private readonly agent = new Agent({ keepAlive: true });
  private sequence = 0;
  private number = 0;
  private socket: FrameClient | undefined;
  private confirm: ((number: number) => void) | undefined;
  private running: Promise<void> | undefined;
  private stopping = false;

  constructor(
    private readonly url: () => string,
    readonly ssid: string,
    private readonly way: Way,
    private readonly random: () => number,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.agent.destroy();
    this.socket?.destroy();
    await this.running;
  }

  /** For a test that fails. */
  get report(): string {
    const { polls, sockets, repeated } = this.seen;
    const closings = [...this.seen.closings].map(([code, count]) => `${code}: ${count}`).join(', ');
    return `${polls} polls, ${sockets} sockets (${closings}), ${repeated} repeated, at ${this.sequence}, last failure: ${this.failure}`;
  }

  /** Done when the gateway has taken it. One after the other: the order is kept. */
  async send(to: string, body: string): Promise<void> {
    const number = ++this.number;
    while (!this.stopping && !(this.socket ? await this.sendOnSocket(this.socket, number, to, body) : await this.post(number, to, body)));
  }

  private async post(number: number, to: string, body: string): Promise<boolean> {
    const reply = await this.ask('POST', `/message?from=${this.ssid}&to=${to}&n=${number}`, body).catch(() => undefined);
    return reply?.status === 200;
  }

  private sendOnSocket(socket: FrameClient, number: number, to: string, body: string): Promise<boolean> {
    return new Promise((resolve) => {
      this.confirm = (taken) => {
        if (taken === number || taken < 0) resolve(taken === number);
      };
      socket.send(`n: ${number}\nto: ${to}\n\n${body}`);
    });
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const poll = this.way === 'poll' || (this.way === 'switching' && this.random() < 0.5);
      await (poll ? this.poll() : this.listen()).catch((error: unknown) => (this.failure = String(error)));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  private async poll(): Promise<void> {
    this.seen.polls += 1;
    // An impatient client: it gives up now and then, at the worst moment.
    const patience = AbortSignal.timeout(Math.floor(5 + this.random() * 300));
    const reply = await this.ask('GET', `/wait?id=${this.ssid}&ack=${this.sequence}`, undefined, patience);
    if (reply.status === 200 && reply.sequence !== undefined) this.take(reply.sequence, reply.body);
  }

  private async listen(): Promise<void> {
    this.seen.sockets += 1;
    let closed: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (closed = resolve));
    const socket = await FrameClient.open(`${this.url()}/signalling?id=${this.ssid}&ack=${this.sequence}`, {
      handleText: (text, from) => this.handleFrame(from, text),
      handleClose: ({ code }) => {
        this.seen.closings.set(code, (this.seen.closings.get(code) ?? 0) + 1);
        closed();
      },
    });
    this.socket = socket;
    if (this.way === 'switching') setTimeout(() => socket.destroy(), 10 + this.random() * 400);
    if (this.stopping) socket.destroy();
    await ended;
    this.socket = undefined;
    this.confirm?.(-1);
  }

  private handleFrame(socket: FrameClient, text: string): void {
    const end = text.indexOf('\n\n');
    const header = new Map(text.slice(0, end).split('\n').map((line) => line.split(': ', 2) as [string, string]));
    const taken = header.get('taken');
    if (taken !== undefined) this.confirm?.(Number(taken));
    const sequence = header.get('sequence');
    if (sequence === undefined) return;
    this.take(Number(sequence), text.slice(end + 2));
    socket.send(`ack: ${this.sequence}\n\n`);
  }

  private take(sequence: number, body: string): void {
    if (sequence <= this.sequence) {
      this.seen.repeated += 1;
      return;
    }
    const isFirst = this.received.length === 0; // the session may have said something before
    if (!isFirst && sequence !== this.sequence + 1) throw new Error(`message ${sequence} came behind ${this.sequence}`);
    this.sequence = sequence;
    this.received.push(body);
    this.onMessage(body);
  }

  private ask(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const asked = request(`${this.url()}${path}`, { method, agent: this.agent, ...(signal ? { signal } : {}) }, (reply) => {
        const chunks: Buffer[] = [];
        reply.on('data', (chunk: Buffer) => chunks.push(chunk));
        reply.on('error', reject).on('close', () => reject(new Error('cut')));
        reply.on('end', () => {
          const sequence = reply.headers['x-crosspoint-sequence'];
          resolve({ status: reply.statusCode ?? 0, body: Buffer.concat(chunks).toString(), sequence: sequence === undefined ? undefined : Number(sequence) });
        });
      });
      asked.on('error', reject).end(body);
    });
  }
}
