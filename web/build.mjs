// Puts everything that the gateway serves at / into one folder: build/web at the repository's root, or the first argument.
// grtc must have been built before (`npm run build` at the root does both).
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(process.argv[2] ?? join(here, '../build/web'));
const grtc = join(here, '../js/grtc/dist');

if (!existsSync(join(grtc, 'grtc.js'))) {
  console.error('js/grtc is not built yet: run `npm run build` at the root of the repository.');
  process.exit(1);
}
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
cpSync(join(here, 'static'), target, { recursive: true });
for (const file of ['grtc.js', 'grtc.js.map', 'grtc.min.js', 'grtc.mjs']) {
  cpSync(join(grtc, file), join(target, file));
}
await build({
  entryPoints: [join(here, 'src/main.ts')],
  outfile: join(target, 'app.js'),
  bundle: true,
  format: 'iife',
  target: ['es2022'],
  charset: 'utf8',
  sourcemap: true,
  logLevel: 'warning',
});
