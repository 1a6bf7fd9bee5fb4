// A TCP proxy that does the worst: it cuts connections at any byte of either direction, holds bytes back, and makes requests again
// behind the client's back, as proxies that retry do. What it does follows from a seed.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** 0 up to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const kBytesMax = 5_000; // that a connection lives for
const kDelayMax = 4; // ms
const kRepeated = 0.1; // of the requests
const kRepeatDelayMax = 60; // ms

export class UnkindProxy {
  /** Connections cut, requests repeated. */
  cuts = 0;
  repeats = 0;
  /** False: from now on everything passes. */
  unkind = true;
  private readonly sockets = new Set<Socket>();
  private readonly timers = new Set<NodeJS.Timeout>();

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
    private readonly random: () => number,
  ) {
    server.on('connection', (socket) => this.handle(socket));
  }

  /** `target` is host:port. */
  static async start(target: string, seed: number): Promise<UnkindProxy> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new UnkindProxy(server, { host, port: Number(port) }, seeded(seed));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearTimeout(timer);
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private keep(socket: Socket): Socket {
    this.sockets.add(socket);
    return socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
  }

  private after(milliseconds: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      then();
    }, milliseconds);
    this.timers.add(timer);
  }

  private handle(client: Socket): void {
    const gateway = this.keep(connect(this.target));
    this.keep(client);
    const both = [client, gateway];
    let left = Math.floor(this.random() * kBytesMax); // of both directions together
    const cut = (): void => both.forEach((socket) => socket.destroy());
    const carry = (from: Socket, to: Socket): void => {
      from.on('data', (bytes: Buffer) => {
        if (from === client) this.repeat(bytes);
        if (left < bytes.length && this.unkind) {
          this.cuts += 1;
          to.write(bytes.subarray(0, left), cut);
          from.pause();
          return;
        }
        left -= bytes.length;
        to.write(bytes);
        if (!this.unkind) return;
        from.pause();
        this.after(this.random() * kDelayMax, () => from.resume());
      });
      from.on('close', cut);
    };
    carry(client, gateway);
    carry(gateway, client);
  }

  /** A whole request is sold to the gateway a second time, later; nobody hears the reply. */
  private repeat(bytes: Buffer): void {
    const text = bytes.toString('latin1');
    const isWhole = text.startsWith('GET /wait') || text.startsWith('POST /message');
    if (!this.unkind || !isWhole || this.random() > kRepeated) return;
    this.after(this.random() * kRepeatDelayMax, () => {
      this.repeats += 1;
      const again = this.keep(connect(this.target));
      again.write(bytes);
      this.after(this.random() * kRepeatDelayMax, () => again.destroy());
    });
  }
}
