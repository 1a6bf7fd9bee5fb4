// What stands at the SIP server's port when a scenario has several far ends: the first request of a call goes to the far end whose
// number it names (or its method, where it is to nobody: REGISTER, OPTIONS), everything else of that call follows it. Far ends answer
// by the same way.
import { createSocket, type Socket } from 'node:dgram';

export class Switchboard {
  /** Number → `callid;to-tag=…;from-tag=…` as the gateway sees it: its own tag is the to-tag. */
  readonly dialogs = new Map<string, string>();
  private readonly lines: Socket[] = [];
  private readonly byUser = new Map<string, number>();
  private readonly byCall = new Map<string, number>();

  private constructor(private readonly front: Socket) {}

  /** `ports`: of the far ends, by the number under which they are called. */
  static async open(port: number, gateway: string, ports: Record<string, number>): Promise<Switchboard> {
    const board = new Switchboard(await bound(port));
    const [host, gatewayPort] = gateway.split(':');
    for (const [user, farPort] of Object.entries(ports)) {
      const line = await bound(0);
      line.on('message', (text) => {
        board.note(user, text.toString('latin1'));
        board.front.send(text, Number(gatewayPort), host);
      });
      line.on('error', () => undefined); // a far end whose script has come to its end
      board.byUser.set(user, board.lines.push(line) - 1);
      line.connect(farPort, '127.0.0.1');
    }
    board.front.on('message', (text) => board.toFarEnd(text));
    return board;
  }

  close(): void {
    for (const socket of [this.front, ...this.lines]) socket.close();
  }

  private note(user: string, text: string): void {
    const value = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1];
    const ours = value(/^From:.*;tag=([^;\s]+)/im);
    const theirs = value(/^To:.*;tag=([^;\s]+)/im);
    if (text.startsWith('SIP/2.0 200') && ours && theirs) {
      this.dialogs.set(user, `${value(/^Call-ID:\s*(\S+)/im)};to-tag=${ours};from-tag=${theirs}`);
    }
  }

  private toFarEnd(message: Buffer): void {
    const text = message.toString('latin1');
    const call = /^(?:Call-ID|i):\s*(\S+)/im.exec(text)?.[1] ?? '';
    const [, method, number] = /^([A-Z]+) (?:sips?:([^@;]*)@)?/.exec(text) ?? [];
    const user = number ?? method ?? '';
    const line = this.byCall.get(call) ?? this.byUser.get(user);
    if (line === undefined) return;
    this.byCall.set(call, line);
    this.lines[line]?.send(message);
  }
}

function bound(port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(port, '127.0.0.1', () => resolve(socket));
  });
}
