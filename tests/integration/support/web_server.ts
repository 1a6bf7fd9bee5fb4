// Serves the test pages, and grtc as it was built, from an origin other than the gateway's.
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { extname } from 'node:path';

const kTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
};

const kScripts: Record<string, URL> = {
  '/grtc.js': new URL('../../../js/grtc/dist/grtc.js', import.meta.url),
  '/grtc.min.js': new URL('../../../js/grtc/dist/grtc.min.js', import.meta.url),
  '/grtc.mjs': new URL('../../../js/grtc/dist/grtc.mjs', import.meta.url),
  '/jquery.js': new URL('../../../node_modules/jquery/dist/jquery.js', import.meta.url),
};
const kFolders: Record<string, URL> = { 'field_client': new URL('../field_client/', import.meta.url) };
const kPages = new URL('../pages/', import.meta.url);

/** The file of a path: a script that was built, the field client's, or a page. */
function fileOf(path: string): URL {
  const [, folder = '', ...rest] = path.split('/');
  const root = kFolders[folder];
  return kScripts[path] ?? (root ? new URL(rest.join('/'), root) : new URL(path.slice(1), kPages));
}

export class WebServer {
  private constructor(private readonly server: Server) {}

  /** Each key of `replacements` is replaced by its value in every page. */
  static start(replacements: Record<string, string> = {}): Promise<WebServer> {
    const server = createServer((request, response) => {
      const path = new URL(request.url ?? '/', 'http://localhost').pathname;
      readFile(fileURLToPath(fileOf(path)), 'utf8').then(
        (text) => {
          const body = Object.entries(replacements).reduce((all, [name, value]) => all.replaceAll(name, value), text);
          response.writeHead(200, { 'Content-Type': kTypes[extname(path)] ?? 'application/octet-stream' }).end(body);
        },
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
