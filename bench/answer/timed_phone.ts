// A SIP phone that notes when things happen: it registers, rings when it is called, answers when it is told to, and sends and receives
// PCMU. One call at a time, over UDP, in front of a SIP server that asks for no password.
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';

const kPacketMs = 20;
const kTone = Buffer.from(Array.from({ length: 160 }, (_, i) => muLaw(Math.round(8_000 * Math.sin((2 * Math.PI * 1_000 * i) / 8_000)))));

export class TimedPhone {
  /** ms since the epoch. */
  answeredAt = 0;
  heardAt = 0;
  private readonly events = new EventEmitter();
  private invite: string | undefined;
  private sender: NodeJS.Timeout | undefined;
  private sequence = 0;

  private constructor(
    private readonly account: string,
    private readonly server: { host: string; port: number },
    private readonly sip: Socket,
    private readonly rtp: Socket,
  ) {
    sip.on('message', (text, from) => this.handleSip(text.toString('latin1'), from.port));
    rtp.on('message', () => {
      if (this.answeredAt > 0 && this.heardAt === 0) {
        this.heardAt = now();
        this.events.emit('heard');
      }
    });
  }

  static async register(account: string, server: string): Promise<TimedPhone> {
    const [host = '', port] = server.split(':');
    const phone = new TimedPhone(account, { host, port: Number(port) }, await bound(), await bound());
    const registered = once(phone.events, 'registered');
    phone.toServer(
      phone.request('REGISTER', `sip:${server}`, [
        `From: <sip:${account}@${server}>;tag=r1`,
        `To: <sip:${account}@${server}>`,
        `Call-ID: register-${account}`,
        'CSeq: 1 REGISTER',
        'Expires: 3600',
      ]),
    );
    await registered;
    return phone;
  }

  /** Rings; resolves when a call has come. */
  async called(): Promise<void> {
    this.answeredAt = this.heardAt = 0;
    if (!this.invite) await once(this.events, 'invite');
  }

  answer(): void {
    if (!this.invite) throw new Error('nobody calls');
    const session = 'v=0\r\no=phone 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n';
    const sdp = `${session}m=audio ${portOf(this.rtp)} RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n`;
    const offered = /m=audio (\d+)/.exec(this.invite)?.[1];
    this.toServer(this.response(this.invite, '200 OK', [`Content-Type: application/sdp`], sdp));
    this.answeredAt = now();
    this.sender = setInterval(() => this.rtp.send(this.nextPacket(), Number(offered), '127.0.0.1'), kPacketMs);
    this.rtp.send(this.nextPacket(), Number(offered), '127.0.0.1');
  }

  async heard(): Promise<number> {
    if (this.heardAt === 0) await once(this.events, 'heard');
    return this.heardAt - this.answeredAt;
  }

  async ended(): Promise<void> {
    if (this.invite) await once(this.events, 'ended');
  }

  close(): void {
    clearInterval(this.sender);
    this.sip.close();
    this.rtp.close();
  }

  private handleSip(text: string, from: number): void {
    if (text.startsWith('SIP/2.0 200') && /CSeq: 1 REGISTER/i.test(text)) this.events.emit('registered');
    if (text.startsWith('INVITE ') && !this.invite) {
      this.invite = text;
      this.send(this.response(text, '180 Ringing'), from);
      this.events.emit('invite');
    }
    if (text.startsWith('BYE ') || text.startsWith('CANCEL ')) {
      this.send(this.response(text, '200 OK'), from);
      clearInterval(this.sender);
      this.invite = undefined;
      this.events.emit('ended');
    }
  }

  private request(method: string, target: string, headers: string[]): string {
    const via = `Via: SIP/2.0/UDP 127.0.0.1:${portOf(this.sip)};branch=z9hG4bK${method}${Math.random().toString(36).slice(2)}`;
    return [`${method} ${target} SIP/2.0`, via, 'Max-Forwards: 70', ...headers, this.contact, 'Content-Length: 0', '', ''].join('\r\n');
  }

  private response(request: string, status: string, headers: string[] = [], body = ''): string {
    const copied = request.split('\r\n').filter((line) => /^(Via|From|Call-ID|CSeq|Record-Route):/i.test(line));
    const to = /^To:.*$/im.exec(request)?.[0].trimEnd() ?? '';
    const tagged = to.includes(';tag=') ? to : `${to};tag=phone`;
    const lines = [`SIP/2.0 ${status}`, ...copied, tagged, this.contact, ...headers, `Content-Length: ${body.length}`, '', body];
    return lines.join('\r\n');
  }

  private get contact(): string {
    return `Contact: <sip:${this.account}@127.0.0.1:${portOf(this.sip)}>`;
  }

  private nextPacket(): Buffer {
    const header = Buffer.alloc(12);
    header.writeUInt8(0x80, 0);
    header.writeUInt16BE(this.sequence & 0xffff, 2);
    header.writeUInt32BE((this.sequence++ * kTone.length) >>> 0, 4);
    header.writeUInt32BE(0x70686f6e, 8);
    return Buffer.concat([header, kTone]);
  }

  private toServer(text: string): void {
    this.send(text, this.server.port);
  }
  private send(text: string, port: number): void {
    this.sip.send(text, port, this.server.host);
  }
}

export const now = (): number => performance.timeOrigin + performance.now();

const portOf = (socket: Socket): number => (socket.address() as AddressInfo).port;

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** One sample of 16 bits as G.711 µ-law. */
function muLaw(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32_635) + 0x84;
  const exponent = Math.max(0, Math.floor(Math.log2(magnitude)) - 7);
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}
