// A network between pages and the gateway's media that a test can take away. The gateway's candidates are replaced, on their way to
// the page, by ports of the relay; what was replaced before a cut() leads nowhere from then on, what comes after it leads on.
import { createSocket, type Socket } from 'node:dgram';

interface Path {
  readonly front: Socket; // towards the page
  readonly back: Socket; // towards the gateway
  isCut: boolean;
}

export class Relay {
  private readonly paths: Path[] = [];

  /** The message with each of the gateway's ports replaced by one of ours. */
  readonly rewrite = async (message: string): Promise<string> => {
    const ports = new Map<string, number>();
    for (const [, port] of message.matchAll(/ 127\.0\.0\.1 (\d+) typ host/g)) if (!ports.has(port!)) ports.set(port!, await this.open(Number(port)));
    return message.replaceAll(/ 127\.0\.0\.1 (\d+) typ host/g, (_, port: string) => ` 127.0.0.1 ${ports.get(port)} typ host`);
  };

  /** The network that there was is gone. */
  cut(): void {
    for (const path of this.paths) path.isCut = true;
  }

  stop(): void {
    for (const { front, back } of this.paths) for (const socket of [front, back]) socket.close();
  }

  private async open(gatewayPort: number): Promise<number> {
    const path: Path = { front: createSocket('udp4'), back: createSocket('udp4'), isCut: false };
    const { front, back } = path;
    await Promise.all([front, back].map((socket) => new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))));
    let page: { port: number; address: string } | undefined;
    front.on('message', (packet, from) => {
      page = from;
      if (!path.isCut) back.send(packet, gatewayPort, '127.0.0.1');
    });
    back.on('message', (packet) => {
      if (!path.isCut && page) front.send(packet, page.port, page.address);
    });
    this.paths.push(path);
    return front.address().port;
  }
}
