// A UDP port that takes whatever comes and never answers: a server behind a firewall.
import { createSocket, type Socket } from 'node:dgram';

export class MuteServer {
  asked = 0;

  private constructor(private readonly socket: Socket) {
    socket.on('message', () => (this.asked += 1));
  }

  static start(): Promise<MuteServer> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(new MuteServer(socket))));
  }

  get port(): number {
    return this.socket.address().port;
  }

  stop(): void {
    this.socket.close();
  }
}
