// A TCP proxy between pages and a gateway that does what networks do: cuts connections, refuses them, swallows them.
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class CuttingProxy {
  private readonly open = new Set<Socket>();
  private isDown = false;
  private cutting: NodeJS.Timeout | undefined;
  /** Connections that were cut on purpose. */
  cuts = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {}

  /** `target` is host:port. */
  static async start(target: string): Promise<CuttingProxy> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer();
    const proxy = new CuttingProxy(server, { host, port: Number(port) });
    server.on('connection', (socket) => proxy.handle(socket));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Cuts one of the open connections every so often, whatever it carries at that moment. Null: no more. */
  cutEvery(milliseconds: number | null): void {
    clearInterval(this.cutting);
    if (milliseconds === null) return;
    this.cutting = setInterval(() => {
      const sockets = [...this.open];
      const chosen = sockets[Math.floor(Math.random() * sockets.length)];
      if (chosen !== undefined) this.cuts += 1;
      chosen?.destroy();
    }, milliseconds);
  }

  /** While down, every connection is closed as soon as it is made. */
  setDown(down: boolean): void {
    this.isDown = down;
    if (down) for (const socket of this.open) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutEvery(null);
    for (const socket of this.open) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private handle(socket: Socket): void {
    if (this.isDown) {
      socket.destroy();
      return;
    }
    const onward = connect(this.target);
    this.open.add(socket);
    socket.pipe(onward).pipe(socket);
    const end = (): void => {
      this.open.delete(socket);
      socket.destroy();
      onward.destroy();
    };
    for (const each of [socket, onward]) each.on('error', end).on('close', end);
  }
}
