// The parts of the page that need no browser, in Node. The page as a whole is tested in tests/integration.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { include: ['test/**/*.test.ts'], environment: 'node' } });
