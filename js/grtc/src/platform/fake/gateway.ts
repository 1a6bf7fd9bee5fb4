// The gateway as a client's requests meet it: signs in, holds polls, queues messages, notes what is posted.

import type { HttpReply, HttpRequest } from '../platform.js';

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
}

function makeReply(status: number, text: string, headers: Record<string, string> = {}): HttpReply {
  return { status, text, header: (name) => headers[name] ?? null };
}

export class FakeGateway {
  /** Every request, as "GET /sign_in?1020". */
  readonly requests: string[] = [];
  readonly posts: Post[] = [];
  readonly signInBodies: string[] = [];
  readonly keepalives: string[] = [];
  /** What a sign-in gets; a function may look at the request. Null: no answer for now. */
  signIn: ((request: HttpRequest) => { status: number; text: string } | null) | null = null;
  features = '';
  /** These origins cannot be reached. */
  readonly down = new Set<string>();
  failPosts = 0;
  failPolls: number[] = [];
  #polls: OpenPoll[] = [];
  #queue: Message[] = [];
  #sequence = 0;
  #tokens = 0;

  get openPolls(): string[] {
    return this.#polls.map(({ url }) => url);
  }

  /** The bodies posted, in order. */
  get bodies(): string[] {
    return this.posts.map(({ body }) => body);
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

  handle(request: HttpRequest): Promise<HttpReply> {
    const url = new URL(request.url);
    const path = url.pathname.slice(url.pathname.lastIndexOf('/'));
    this.requests.push(`${request.method} ${path}${url.search}`);
    if (request.keepalive === true) this.keepalives.push(path);
    if (this.down.has(url.origin)) return Promise.reject(new TypeError('Failed to fetch'));
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
    return new Promise((_, reject) => {
      request.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    });
  }

  #handlePoll(request: HttpRequest): Promise<HttpReply> {
    const failure = this.failPolls.shift();
    if (failure === 0) return Promise.reject(new TypeError('Failed to fetch'));
    if (failure !== undefined) return Promise.resolve(makeReply(failure, ''));
    return new Promise((resolve, reject) => {
      const poll: OpenPoll = { url: request.url, reply: resolve };
      this.#polls.push(poll);
      request.signal?.addEventListener('abort', () => {
        this.#polls = this.#polls.filter((each) => each !== poll);
        reject(new DOMException('aborted', 'AbortError'));
      });
      this.#flush();
    });
  }

  #handlePost(request: HttpRequest, url: URL): Promise<HttpReply> {
    if (this.failPosts > 0) {
      this.failPosts -= 1;
      return Promise.reject(new TypeError('Failed to fetch'));
    }
    const query = /\?from=([^&]*)&to=(.*)$/.exec(url.search);
    const [, from = '', to = ''] = query ?? [];
    this.posts.push({ from, to: decodeURIComponent(to), body: request.body ?? '' });
    return Promise.resolve(makeReply(200, ''));
  }

  #flush(): void {
    while (this.#polls.length > 0 && this.#queue.length > 0) {
      const poll = this.#polls.shift();
      const message = this.#queue.shift();
      if (poll === undefined || message === undefined) return;
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
