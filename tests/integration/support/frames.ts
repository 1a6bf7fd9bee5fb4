// A WebSocket client of few words (RFC 6455), for tests that must see every way in which one ends.
import { randomBytes } from 'node:crypto';
import { request, type RequestOptions } from 'node:http';
import { request as requestOverTls } from 'node:https';
import type { Duplex } from 'node:stream';

export interface Closing {
  readonly code: number; // 1006: no close frame came
  readonly reason: string;
}

export interface FrameListener {
  handleText(text: string, from: FrameClient): void;
  handleClose(closing: Closing): void;
}

const kText = 1;
const kClose = 8;
const kPing = 9;
const kPong = 10;

export class FrameClient {
  private buffer = Buffer.alloc(0);
  private closing: Closing | undefined;

  private constructor(
    private readonly stream: Duplex,
    private readonly listener: FrameListener,
    head: Buffer,
  ) {
    stream.on('data', (bytes: Buffer) => this.take(bytes));
    stream.on('error', () => undefined);
    stream.on('close', () => listener.handleClose(this.closing ?? { code: 1006, reason: '' }));
    this.take(head);
  }

  /** Opens it; an error says why not. */
  static open(url: string, listener: FrameListener, options: RequestOptions & { rejectUnauthorized?: boolean } = {}): Promise<FrameClient> {
    const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64') };
    return new Promise((resolve, reject) => {
      const ask = url.startsWith('https:') ? requestOverTls : request;
      const asked = ask(url, { ...options, agent: false, headers: { ...headers, ...options.headers } });
      asked.on('upgrade', (_reply, stream, head) => resolve(new FrameClient(stream, listener, head)));
      asked.on('response', (reply) => {
        reply.resume();
        reject(new Error(`status ${reply.statusCode}`));
      });
      asked.on('error', reject).end();
    });
  }

  send(text: string): void {
    this.write(kText, Buffer.from(text));
  }

  close(code = 1000): void {
    this.write(kClose, Buffer.from([code >> 8, code & 0xff]));
  }

  destroy(): void {
    this.stream.destroy();
  }

  private write(opcode: number, payload: Buffer): void {
    const size = payload.length;
    const length = size < 126 ? Buffer.from([size | 0x80]) : size < 65_536 ? Buffer.from([126 | 0x80, size >> 8, size & 0xff]) : undefined;
    if (!length) throw new Error('too long for this client');
    const mask = randomBytes(4);
    this.stream.write(Buffer.concat([Buffer.from([0x80 | opcode]), length, mask, payload.map((byte, i) => byte ^ mask[i & 3]!)]));
  }

  private take(bytes: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, bytes]);
    while (this.buffer.length >= 2) {
      const short = this.buffer[1]! & 0x7f;
      const start = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.buffer.length < start) return;
      const length = short < 126 ? short : short === 126 ? this.buffer.readUInt16BE(2) : Number(this.buffer.readBigUInt64BE(2));
      if (this.buffer.length < start + length) return;
      const payload = this.buffer.subarray(start, start + length);
      const opcode = this.buffer[0]! & 0x0f;
      this.buffer = this.buffer.subarray(start + length);
      if (opcode === kText) this.listener.handleText(payload.toString(), this);
      if (opcode === kPing) this.write(kPong, payload);
      if (opcode === kClose) {
        this.closing = { code: length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString() };
        this.stream.end();
      }
    }
  }
}
