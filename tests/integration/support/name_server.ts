// A DNS server for one test: answers SRV and A questions from what it was told, everything else with "no such name".
import { createSocket, type Socket } from 'node:dgram';

export interface Service {
  priority: number;
  port: number;
  host: string;
}

const kA = 1;
const kSrv = 33;

export class NameServer {
  readonly questions: string[] = [];
  private readonly services = new Map<string, Service[]>();
  private readonly addresses = new Map<string, string>();

  private constructor(
    private readonly socket: Socket,
    readonly address: string, // host:port
  ) {
    socket.on('message', (question, from) => {
      const answer = this.answer(question);
      if (answer) socket.send(answer, from.port, from.address);
    });
  }

  static async start(): Promise<NameServer> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return new NameServer(socket, `127.0.0.1:${socket.address().port}`);
  }

  setServices(name: string, services: Service[]): void {
    this.services.set(name, services);
  }

  setAddress(name: string, address: string): void {
    this.addresses.set(name, address);
  }

  stop(): void {
    this.socket.close();
  }

  // RFC 1035 §4.1; nothing is compressed but the name that was asked for. No answer to what is no question: media for the one who had this
  // port before.
  private answer(question: Buffer): Buffer | undefined {
    const labels: string[] = [];
    let at = 12;
    for (; question[at]; at += 1 + question[at]!) labels.push(question.toString('latin1', at + 1, at + 1 + question[at]!));
    if (at + 5 > question.length) return undefined;
    const name = labels.join('.').toLowerCase();
    const type = question.readUInt16BE(at + 1);
    this.questions.push(name);
    const data = this.find(name, type);
    const header = Buffer.from(question.subarray(0, 12));
    header.writeUInt16BE(0x8580 | (data.length > 0 ? 0 : 3), 2); // an authoritative answer, or NXDOMAIN
    header.writeUInt16BE(data.length, 6);
    header.writeUInt32BE(0, 8);
    return Buffer.concat([header, question.subarray(12, at + 5), ...data.map((bytes) => record(type, bytes))]);
  }

  private find(name: string, type: number): Buffer[] {
    const address = this.addresses.get(name);
    if (type === kA && address) return [Buffer.from(address.split('.').map(Number))];
    if (type !== kSrv) return [];
    return (this.services.get(name) ?? []).map(({ priority, port, host }) => {
      const numbers = Buffer.alloc(6);
      numbers.writeUInt16BE(priority, 0);
      numbers.writeUInt16BE(port, 4);
      const parts = host.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
      return Buffer.concat([numbers, ...parts, Buffer.from([0])]);
    });
  }
}

function record(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4); // IN
  head.writeUInt32BE(1, 6); // for a second
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
