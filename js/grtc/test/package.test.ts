// The package as others get it: what is in it, that the script and the module load by themselves, that its types work.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const kHere = fileURLToPath(new URL('..', import.meta.url));
const kBuildTime = 120_000;
const kNames = ['Client', 'MediaSession', 'Error', 'LOG_LEVEL_DEBUG', 'isWebrtcSupported', 'isWebRTCSupported'];

describe('The package', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'grtc-package-'));
    for (const file of ['package.json', 'README.md']) cpSync(join(kHere, file), join(folder, file));
    execFileSync(process.execPath, [join(kHere, 'build.mjs'), join(folder, 'dist')]);
  }, kBuildTime);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('holds the bundles, their maps, the types and the manual, and nothing else', () => {
    const options = { cwd: folder, encoding: 'utf8' } as const;
    const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options);
    const [{ files }] = JSON.parse(text) as [{ files: { path: string }[] }];
    const paths = files.map(({ path }) => path).filter((path) => !path.startsWith('dist/types/'));
    expect(paths.sort()).toEqual([
      'README.md',
      'dist/grtc.js',
      'dist/grtc.js.map',
      'dist/grtc.min.js',
      'dist/grtc.min.js.map',
      'dist/grtc.mjs',
      'dist/grtc.mjs.map',
      'package.json',
    ]);
    expect(files.some(({ path }) => path === 'dist/types/index.d.ts')).toBe(true);
  }, kBuildTime);

  it('names only files that are there', () => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>;
    const named = JSON.stringify(['main', 'module', 'types', 'exports', 'unpkg'].map((name) => manifest[name]));
    const paths = [...named.matchAll(/"(\.\/[^"]+\.(?:mjs|js|ts))"/g)].map(([, path]) => path ?? '');
    expect(paths.length).toBeGreaterThan(5);
    for (const path of paths) expect(readFileSync(join(folder, path), 'utf8').length).toBeGreaterThan(100);
  });

  it.each(['grtc.js', 'grtc.min.js'])('%s as a plain script makes the global Grtc and needs no other script', (file) => {
    const page: Record<string, unknown> = { console };
    page['window'] = page;
    page['navigator'] = { userAgent: 'Mozilla/5.0' };
    createContext(page);
    runInContext(readFileSync(join(folder, 'dist', file), 'utf8'), page);
    expect(Object.keys(page['Grtc'] as object)).toEqual(expect.arrayContaining(kNames));
    expect(page['cGrtc']).toBe(page['Grtc']);
    expect(page).not.toHaveProperty('$');
  });

  it('is small: what it brings to a page is its own', () => {
    const text = readFileSync(join(folder, 'dist/grtc.min.js'), 'utf8');
    expect(text.length).toBeLessThan(64 * 1024);
    expect(text).not.toContain('adapter');
  });

  it('as a module has the same names, also where there is no page', () => {
    const { href } = pathToFileURL(join(folder, 'dist/grtc.mjs'));
    const script = `import('${href}').then((all) => console.log(Object.keys(all).join()))`;
    const names = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }).trim().split(',');
    expect(names).toEqual(expect.arrayContaining(kNames));
  });

  it('has types that a page can be written against', () => {
    const user = join(folder, 'user');
    mkdirSync(join(user, 'node_modules'), { recursive: true });
    symlinkSync(folder, join(user, 'node_modules/grtc'));
    cpSync(join(kHere, 'test/sample/page.ts'), join(user, 'page.ts'));
    const compilerOptions = {
      strict: true,
      noEmit: true,
      module: 'ESNext',
      moduleResolution: 'bundler',
      target: 'ES2022',
      lib: ['ES2022', 'DOM'],
      types: [],
    };
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.ts'] }));
    const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
    expect(() => execFileSync(process.execPath, [compiler, '-p', user], { encoding: 'utf8' })).not.toThrow();
  }, kBuildTime);
});
