// The WebSocket of a login: messages in both directions with the counters that HTTP uses, so that either can go on where
// the other broke off (docs/protocols/signalling.md, section 3.4).
//
//     Opening ── open ──> Open ── close, cut, no confirmation in time ──> Closed (another object opens the next one)
//        └──── not open in time, refused ──────────────────────────────────┘
//
// A connection that died without a word is noticed by asking: after a silence, message 0 goes out. Numbers begin at 1,
// so the gateway drops it and confirms it.

import { numberOf, readFrame, writeFrame } from './frames.js';
import { receiveUrl, type Login } from './login.js';
import type { Platform, Socket } from './platform/platform.js';

export interface SocketListener {
  handleOpen(): void;
  /** One message; the listener says whether it is to be confirmed. */
  handleMessage(sequence: number | null, peer: string | null, body: string): void;
  /** Once. Not after close(). `code` is 1006 where the connection was cut or never came up. */
  handleClosed(code: number): void;
}

export interface SocketOptions {
  readonly known: readonly string[];
  /** Milliseconds of silence after which the connection is put to the test; 0 is never. */
  readonly silenceMax: number;
}

const kOpenTimeout = 8000;
const kConfirmTimeout = 10000;
const kCut = 1006; // RFC 6455 §7.1.5

export class SocketChannel {
  readonly #listener: SocketListener;
  readonly #options: SocketOptions;
  readonly #socket: Socket | null;
  readonly #waiting = new Map<number, (taken: boolean) => void>();
  #state: 'Opening' | 'Open' | 'Closed' = 'Opening';
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(platform: Platform, login: Login, options: SocketOptions, listener: SocketListener) {
    this.#listener = listener;
    this.#options = options;
    this.#openTimer = setTimeout(() => this.#lose(kCut), kOpenTimeout);
    this.#socket = platform.openSocket(receiveUrl(login, 'signalling', options.known), {
      handleOpen: () => this.#handleOpen(),
      handleText: (text) => this.#handleText(text),
      handleClose: (code) => this.#lose(code),
    });
    if (this.#socket === null) queueMicrotask(() => this.#lose(kCut));
  }

  get isOpen(): boolean {
    return this.#state === 'Open';
  }

  /** Resolves to whether the gateway has taken it. If not: this socket is closed, and it is to be sent another way. */
  send(number: number, peer: string, body: string): Promise<boolean> {
    if (!this.isOpen) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#lose(kCut), kConfirmTimeout);
      this.#waiting.set(number, (taken) => {
        clearTimeout(timer);
        resolve(taken);
      });
      this.#write({ n: number, to: oneLine(peer) }, body);
    });
  }

  /** All up to here has been taken. */
  acknowledge(sequence: number): void {
    if (this.isOpen) this.#write({ ack: sequence });
  }

  /** Without a word to the listener. */
  close(): void {
    if (this.#end()) this.#socket?.close();
  }

  #handleOpen(): void {
    if (this.#state !== 'Opening') return;
    clearTimeout(this.#openTimer);
    this.#state = 'Open';
    this.#watchSilence();
    this.#listener.handleOpen();
  }

  #handleText(text: string): void {
    if (!this.isOpen) return;
    this.#watchSilence();
    const { headers, body } = readFrame(text);
    const taken = numberOf(headers.get('taken'));
    if (taken !== null) {
      const settle = this.#waiting.get(taken);
      this.#waiting.delete(taken);
      settle?.(true);
    }
    const sequence = numberOf(headers.get('sequence'));
    if (sequence !== null || body !== '') this.#listener.handleMessage(sequence, headers.get('peer') ?? null, body);
  }

  #watchSilence(): void {
    clearTimeout(this.#silenceTimer);
    const { silenceMax } = this.#options;
    if (silenceMax > 0) this.#silenceTimer = setTimeout(() => this.#test(), silenceMax);
  }

  #test(): void {
    this.#watchSilence();
    if (this.#waiting.size === 0) void this.send(0, '', '');
  }

  #write(headers: Readonly<Record<string, string | number>>, body = ''): void {
    try {
      this.#socket?.send(writeFrame(headers, body));
    } catch {
      this.#lose(kCut);
    }
  }

  #lose(code: number): void {
    if (!this.#end()) return;
    this.#socket?.close();
    this.#listener.handleClosed(code);
  }

  #end(): boolean {
    if (this.#state === 'Closed') return false;
    this.#state = 'Closed';
    clearTimeout(this.#openTimer);
    clearTimeout(this.#silenceTimer);
    for (const settle of this.#waiting.values()) settle(false);
    this.#waiting.clear();
    return true;
  }
}

/** A header holds no line break. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, ' ');
}
