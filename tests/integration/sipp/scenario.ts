// One scenario, one sentence: a gateway, a page on the wire and sipp as everything that is SIP.
import { it } from 'vitest';
import type { Script } from './script';
import { Bench, type BenchOptions, type Far } from './sipp';
import type { WirePage } from './wire_page';

export interface ScenarioOptions extends BenchOptions {
  dn?: string; // as which the page is registered; without it the page is anonymous
  features?: string[]; // extensions for which the page asks
  credentials?: boolean; // signs in with a password
}

export interface Cast {
  page: WirePage;
  bench: Bench;
  far(script: Script): Promise<Far>;
}

export function scenario(sentence: string, options: ScenarioOptions, play: (cast: Cast) => Promise<void>): void {
  it(sentence, async () => {
    const bench = await Bench.start(options);
    try {
      const page = await bench.page(options);
      await play({ page, bench, far: (script) => bench.far(script, sentence) });
    } finally {
      await bench.stop();
    }
  });
}
