// How the unit tests of grtc run: in Node, on the fake platform, in virtual time.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 5000 },
});
