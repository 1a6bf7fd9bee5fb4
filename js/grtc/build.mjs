// Builds dist/, or the folder of the first argument: grtc.js for a plain <script> tag (global `Grtc`), grtc.mjs as a
// module, and the types.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const dist = resolve(process.argv[2] ?? join(here, 'dist'));
const banner = { js: '/* Grtc, the JavaScript API of Crosspoint. Apache-2.0. */' };
const common = {
  entryPoints: [join(here, 'src/index.ts')],
  bundle: true,
  target: ['es2022'],
  charset: 'utf8',
  legalComments: 'none',
  sourcemap: true,
  logLevel: 'warning',
  banner,
};

// The guide's table of errors says cGrtc once.
const script = { ...common, format: 'iife', globalName: 'Grtc', footer: { js: 'var cGrtc = Grtc;' } };

rmSync(dist, { recursive: true, force: true });
await build({ ...script, outfile: join(dist, 'grtc.js') });
await build({ ...script, minify: true, outfile: join(dist, 'grtc.min.js') });
await build({ ...common, format: 'esm', outfile: join(dist, 'grtc.mjs') });

const require = createRequire(import.meta.url);
const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
execFileSync(process.execPath, [compiler, '-p', join(here, 'tsconfig.types.json'), '--outDir', join(dist, 'types')], { stdio: 'inherit' });
