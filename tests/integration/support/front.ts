// What stands between pages and the gateway in some tests, as a proxy would: it keeps what pages asked for, and can be cut. It knows
// no WebSockets, so that pages have to poll.
import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Gateway } from './gateway';

export interface Asked {
  readonly method: string;
  readonly path: string; // with its query
  readonly at: number; // ms since the epoch
  readonly body: string;
  readonly isRefused: boolean;
}

export class Front {
  readonly asked: Asked[] = [];
  /** Applied to each message to a page. */
  rewrite: ((message: string) => Promise<string>) | undefined;
  private refused: RegExp | undefined;
  private lost: RegExp | undefined;
  private dropped: { paths: RegExp; left: number } | undefined;
  private readonly open = new Set<{ path: string; response: ServerResponse }>();

  private constructor(
    private readonly server: Server,
    private readonly gateway: Gateway,
  ) {
    server.on('request', (request, response) => void this.pass(request, response));
  }

  static start(gateway: Gateway): Promise<Front> {
    const server = createServer();
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(new Front(server, gateway))));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Requests for these paths get 503, and the connections of those under way break, until it is called without. */
  refuse(paths?: RegExp): void {
    this.refused = paths;
    for (const { path, response } of this.open) if (paths?.test(path)) response.destroy();
  }

  /** Requests for these paths reach the gateway, but pages get 502 instead of its reply, until it is called without. */
  loseReplies(paths?: RegExp): void {
    this.lost = paths;
  }

  /** The next `count` requests for these paths reach the gateway, but their connections close without a reply. */
  dropReplies(paths: RegExp, count: number): void {
    this.dropped = { paths, left: count };
  }

  /** Nothing is refused, lost or rewritten any more. */
  reset(): void {
    [this.refused, this.lost, this.dropped, this.rewrite] = [undefined, undefined, undefined, undefined];
  }

  /** What pages asked for at these paths. */
  askedFor(path: RegExp): Asked[] {
    return this.asked.filter((each) => path.test(each.path));
  }

  /** The bodies of the ROAP messages of this type, in order. */
  sent(type: string): { sdp: string; Candidates: { candidate: string }[]; attacheddata?: unknown }[] {
    const bodies = this.asked.filter(({ body }) => body.startsWith('RSMP ')).map(({ body }) => JSON.parse(body.slice(5)) as Record<string, unknown>);
    return bodies.filter((body) => body['messageType'] === type) as never;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the page has gone
    }
    const body = Buffer.concat(chunks);
    const isRefused = this.refused?.test(path) ?? false;
    this.asked.push({ method: request.method ?? 'GET', path, at: Date.now(), body: body.toString(), isRefused });
    if (isRefused) {
      fail(request, response, 503);
      return;
    }
    const entry = { path, response };
    this.open.add(entry);
    const { upgrade: _upgrade, connection: _connection, ...headers } = request.headers;
    const onward = forward(`${this.gateway.url}${path}`, { method: request.method ?? 'GET', headers }, (reply) => {
      const lost = this.lost?.test(path) ?? false;
      if (this.dropped?.paths.test(path) && this.dropped.left-- > 0) response.destroy();
      else if (lost) reply.resume().on('end', () => fail(request, response, 502));
      else this.reply(path, reply, response).catch(() => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => {
      this.open.delete(entry);
      onward.destroy();
    });
    onward.end(body);
  }
  private async reply(path: string, reply: IncomingMessage, response: ServerResponse): Promise<void> {
    const { 'content-length': _length, 'transfer-encoding': _encoding, ...headers } = reply.headers;
    const chunks: Buffer[] = [];
    for await (const chunk of reply) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body = this.rewrite && path.startsWith('/wait') ? await this.rewrite(text) : text;
    response.writeHead(reply.statusCode ?? 502, headers).end(body);
  }
}

function fail(request: IncomingMessage, response: ServerResponse, status: number): void {
  const origin = request.headers.origin ?? '*';
  response.writeHead(status, { 'Content-Type': 'text/plain', 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' }).end('cut');
}
