// Two files at a time: most of a test is waiting, for sound above all, and two cores carry the browsers, phones and gateways of two.
// A process runs many files, one after the other, and keeps its browsers for the next one.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['*.test.ts', 'sipp/*.test.ts'],
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2, minForks: 1, isolate: false } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: ['verbose'],
  },
});
