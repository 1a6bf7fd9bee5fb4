// ./run as a newcomer uses it: it prints where the page is, the page is there, and Ctrl-C stops it cleanly.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Program } from './support/program';
import { within } from './support/wait';

const kRun = fileURLToPath(new URL('../../run', import.meta.url));

describe('./run', () => {
  let program: Program;
  let address: string;

  beforeAll(async () => {
    // Ctrl-C reaches a whole process group; here the gateway takes the script's place, so its pid is the script's.
    program = new Program('run', kRun, ['--port', '0', '--set', 'sip-server.port=0'], { cwd: '/' });
    const [, url] = await program.waitForOutput(/Page and signalling at (http:\/\/127\.0\.0\.1:\d+)\//, 50_000);
    address = url!;
  });
  afterAll(() => program?.stop());

  it('serves the page and grtc.js', async () => {
    const page = await fetch(`${address}/`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await page.text()).toMatch(/<html/i);
    expect((await fetch(`${address}/grtc.js`)).status).toBe(200);
  });

  it('stops cleanly at Ctrl-C', async () => {
    program.signal('SIGINT');
    expect(await within('it ends', program.exited)).toEqual({ code: 0, signal: null });
  });

  it('explains itself', async () => {
    const help = new Program('run --help', kRun, ['--help']);
    expect((await within('it ends', help.exited)).code).toBe(0);
    expect(help.log).toMatch(/\.\/run/);
    expect(help.log).toMatch(/--config/);
  });
});
