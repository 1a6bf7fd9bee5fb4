// The gateway as a client's requests meet it: signs in, holds polls, keeps WebSockets, queues messages, notes what is
// posted. With the feature "ack" it numbers messages, and keeps each until it is acknowledged.

import { numberOf, readFrame, writeFrame } from '../../frames.js';
import type { HttpReply, HttpRequest, Socket, SocketHandlers } from '../platform.js';

interface OpenPoll {
  url: string;
  reply: (reply: HttpReply) => void;
}

interface Message {
  body: string;
  peer: string | null;
  sequence: number | null;
}

export interface Post {
  from: string;
  to: string;
  body: string;
  /** The page's own count. */
  number: number | null;
  way: 'POST' | 'WebSocket';
}

interface SignInReply {
  status: number;
  text: string;
}

function makeReply(status: number, text: string, headers: Record<string, string> = {}): HttpReply {
  return { status, text, header: (name) => headers[name] ?? null };
}

/** A WebSocket as the gateway's side has it. */
export class FakeSocket {
  /** The frames that the page sent. */
  readonly frames: string[] = [];
  isOpen = false;
  isClosed = false;

  constructor(
    readonly url: string,
    private readonly handlers: SocketHandlers,
    private readonly onText: (text: string) => void,
  ) {}

  open(): void {
    this.isOpen = true;
    this.handlers.handleOpen();
  }

  say(text: string): void {
    if (!this.isClosed) this.handlers.handleText(text);
  }

  /** The gateway closes it, or with 1006 the network. */
  end(code: number): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isOpen = false;
    this.handlers.handleClose(code);
  }

  /** The page's end of it. */
  readonly page: Socket = {
    send: (text) => {
      this.frames.push(text);
      if (!this.isClosed) this.onText(text);
    },
    close: () => {
      this.isClosed = true;
      this.isOpen = false;
    },
  };
}

export class FakeGateway {
  /** Every request, as "GET /sign_out?id=S1". */
  readonly requests: string[] = [];
  readonly posts: Post[] = [];
  readonly signInBodies: string[] = [];
  readonly keepalives: string[] = [];
  readonly sockets: FakeSocket[] = [];
  /** What a sign-in gets; a function may look at the request. Null: no answer until `answerSignIns()`. */
  signIn: ((request: HttpRequest) => SignInReply | null) | null = null;
  features = '';
  /** These origins cannot be reached. */
  readonly down = new Set<string>();
  /** These swallow everything. */
  readonly mute = new Set<string>();
  failPosts = 0;
  failPolls: number[] = [];
  /** WebSockets are swallowed by something in between. */
  blocksSockets = false;
  /** Polls reach it only after this many milliseconds, even those that the page has given up by then. */
  pollsTake = 0;
  /** Numbered messages of the page are not confirmed. */
  confirms = true;
  /** They are taken, but that they were does not arrive. */
  losesConfirmations = false;
  #polls: OpenPoll[] = [];
  #queue: Message[] = [];
  #sequence = 0;
  #tokens = 0;
  #pendingSignIns: ((reply: HttpReply) => void)[] = [];
  #taken = new Set<number>();

  get openPolls(): string[] {
    return this.#polls.map(({ url }) => url);
  }

  get openSockets(): FakeSocket[] {
    return this.sockets.filter(({ isOpen }) => isOpen);
  }

  /** The bodies posted, in order. */
  get bodies(): string[] {
    return this.posts.map(({ body }) => body);
  }

  /** The requests of one endpoint. */
  requestsFor(path: string): string[] {
    return this.requests.filter((request) => request.includes(path));
  }

  /** A message to the page. With the feature "ack" it is numbered. */
  send(body: string, peer: string | null = null): void {
    const numbered = this.features.includes('ack');
    this.#queue.push({ body, peer, sequence: numbered ? (this.#sequence += 1) : null });
    this.#flush();
  }

  /** The last numbered message again, as after a lost reply. */
  sendAgain(body: string, peer: string | null, sequence: number): void {
    this.#queue.push({ body, peer, sequence });
    this.#flush();
  }

  /** Ends the open poll with this status. */
  endPoll(status: number, text = ''): void {
    this.#polls.shift()?.reply(makeReply(status, text));
  }

  /** The sign-ins that wait are answered now. */
  answerSignIns(status: number, text: string): void {
    for (const reply of this.#pendingSignIns.splice(0)) reply(makeReply(status, text));
  }

  openSocket(url: string, handlers: SocketHandlers): Socket {
    const socket: FakeSocket = new FakeSocket(url, handlers, (text) => this.#handleFrame(socket, text));
    this.sockets.push(socket);
    if (this.down.has(new URL(url).origin)) queueMicrotask(() => socket.end(1006));
    else if (!this.blocksSockets) queueMicrotask(() => this.#handleSocketOpen(socket));
    return socket.page;
  }

  handle(request: HttpRequest): Promise<HttpReply> {
    const url = new URL(request.url);
    const path = url.pathname.slice(url.pathname.lastIndexOf('/'));
    this.requests.push(`${request.method} ${path}${url.search}`);
    if (request.keepalive === true) this.keepalives.push(path);
    if (this.down.has(url.origin)) return Promise.reject(new TypeError('Failed to fetch'));
    if (this.mute.has(url.origin)) return untilAborted(request);
    switch (path) {
      case '/sign_in':
        return this.#handleSignIn(request);
      case '/wait':
        return this.#handlePoll(request);
      case '/message':
        return this.#handlePost(request, url);
      default:
        return Promise.resolve(makeReply(200, ''));
    }
  }

  #handleSignIn(request: HttpRequest): Promise<HttpReply> {
    if (request.body !== undefined) this.signInBodies.push(request.body);
    this.#tokens += 1;
    const features = this.features === '' ? '' : `\nfeatures=${this.features}`;
    const given = this.signIn === null ? { status: 200, text: `id=S${this.#tokens}${features}` } : this.signIn(request);
    if (given !== null) return Promise.resolve(makeReply(given.status, given.text));
    return new Promise((resolve, reject) => {
      this.#pendingSignIns.push(resolve);
      request.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    });
  }

  #handlePoll(request: HttpRequest): Promise<HttpReply> {
    const failure = this.failPolls.shift();
    if (failure === 0) return Promise.reject(new TypeError('Failed to fetch'));
    if (failure !== undefined) return Promise.resolve(makeReply(failure, ''));
    this.#handleAck(numberOf(new URL(request.url).searchParams.get('ack')));
    return new Promise((resolve, reject) => {
      const poll: OpenPoll = { url: request.url, reply: resolve };
      if (this.pollsTake > 0) setTimeout(() => this.#openPoll(poll), this.pollsTake);
      else this.#openPoll(poll);
      request.signal?.addEventListener('abort', () => {
        this.#polls = this.#polls.filter((each) => each !== poll);
        reject(new DOMException('aborted', 'AbortError'));
      });
    });
  }

  /** It takes over from what came before it. */
  #openPoll(poll: OpenPoll): void {
    for (const socket of this.openSockets) socket.end(4409);
    this.#polls.push(poll);
    this.#flush();
  }

  #handlePost(request: HttpRequest, url: URL): Promise<HttpReply> {
    if (this.failPosts > 0) {
      this.failPosts -= 1;
      return Promise.reject(new TypeError('Failed to fetch'));
    }
    const [, from = '', to = '', count] = /\?from=([^&]*)&to=(.*?)(?:&n=(\d+))?$/.exec(url.search) ?? [];
    const number = numberOf(count);
    this.#takePost({ from, to: decodeURIComponent(to), body: request.body ?? '', number, way: 'POST' });
    return this.losesConfirmations ? Promise.reject(new TypeError('Failed to fetch')) : Promise.resolve(makeReply(200, ''));
  }

  #takePost(post: Post): void {
    if (post.number !== null) {
      if (post.number === 0 || this.#taken.has(post.number)) return;
      this.#taken.add(post.number);
    }
    this.posts.push(post);
  }

  #handleSocketOpen(socket: FakeSocket): void {
    if (socket.isClosed) return;
    for (const other of this.openSockets) if (other !== socket) other.end(4409);
    socket.open();
    this.#handleAck(numberOf(new URL(socket.url).searchParams.get('ack')));
    for (const poll of this.#polls.splice(0)) poll.reply(makeReply(200, ''));
    for (const message of this.#queue) this.#sayTo(socket, message);
  }

  #handleAck(ack: number | null): void {
    if (ack !== null) this.#queue = this.#queue.filter(({ sequence }) => sequence === null || sequence > ack);
  }

  #handleFrame(socket: FakeSocket, text: string): void {
    const { headers, body } = readFrame(text);
    this.#handleAck(numberOf(headers.get('ack')));
    const number = numberOf(headers.get('n'));
    if (number === null || !this.confirms) return;
    const from = new URL(socket.url).searchParams.get('id') ?? '';
    this.#takePost({ from, to: headers.get('to') ?? '', body, number, way: 'WebSocket' });
    if (!this.losesConfirmations) queueMicrotask(() => socket.say(writeFrame({ taken: number })));
  }

  #sayTo(socket: FakeSocket, { body, peer, sequence }: Message): void {
    socket.say(writeFrame({ ...(sequence === null ? {} : { sequence }), ...(peer === null ? {} : { peer }) }, body));
  }

  #flush(): void {
    const socket = this.openSockets.at(-1);
    if (socket !== undefined) {
      const message = this.#queue.at(-1);
      if (message !== undefined) this.#sayTo(socket, message);
      return;
    }
    while (this.#polls.length > 0 && this.#queue.length > 0) {
      const poll = this.#polls.shift();
      const [message] = this.#queue;
      if (poll === undefined || message === undefined) return;
      if (message.sequence === null || !poll.url.includes('&ack=')) this.#queue.shift();
      const { body, peer, sequence } = message;
      poll.reply(
        makeReply(200, body, {
          ...(peer === null ? {} : { Pragma: peer }),
          ...(sequence === null ? {} : { 'X-Crosspoint-Sequence': String(sequence) }),
        }),
      );
    }
  }
}

function untilAborted(request: HttpRequest): Promise<HttpReply> {
  return new Promise((_, reject) => {
    request.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
  });
}
