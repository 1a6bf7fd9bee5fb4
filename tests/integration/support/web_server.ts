// Serves the test pages, and grtc.js as it was built, from an origin other than the gateway's.
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { extname } from 'node:path';

const kTypes: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' };

const kRoots: [string, URL][] = [
  ['/grtc/', new URL('../../../js/grtc/dist/', import.meta.url)],
  ['/jquery/', new URL('../../../node_modules/jquery/dist/', import.meta.url)],
  ['/', new URL('../pages/', import.meta.url)],
];

export class WebServer {
  private constructor(private readonly server: Server) {}

  static start(): Promise<WebServer> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      const [prefix, root] = kRoots.find(([start]) => path.startsWith(start))!;
      readFile(fileURLToPath(new URL(path.slice(prefix.length), root))).then(
        (body) => response.writeHead(200, { 'Content-Type': kTypes[extname(path)] ?? 'application/octet-stream' }).end(body),
        () => response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not here'),
      );
    });
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(new WebServer(server))));
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
