// grtc as pages load it: a plain script or an ES module, from a server of their own or from the gateway.
import { describe, expect, it } from 'vitest';
import { kFirefox, kGrtc } from './support/contenders';
import { until } from './support/wait';
import { worldFor } from './support/world';

describe.each([kGrtc, kFirefox])('grtc, $browser', (contender) => {
  const world = worldFor({ contenders: [contender] });

  it.each([
    ['as a plain script, minified', '/script.html', 'Grtc,cGrtc'],
    ['as an ES module', '/module.html', ''],
  ])('%s, is all that a page needs to call', async (_, path, globals) => {
    const page = await world.browsers[0]!.open(world.web.url(path));
    await until('the page is there', () => page.evaluate(`typeof talk === 'function'`));
    await page.evaluate(`void talk('${world.gateway.url}')`);
    await until('it is in a call', () => page.evaluate('session?.isEstablished() && session.hasAudioEnabled()'));
    expect((await page.evaluate<string[]>('globals')).sort().join()).toBe(globals);
    await page.evaluate('session.closeSession(true)');
    await page.close();
  });

  it.each(['grtc.js', 'grtc.min.js', 'grtc.mjs'])('%s comes from the gateway as what browsers take', async (file) => {
    const page = await world.browsers[0]!.open(`${world.gateway.url}/`);
    const loaded = file.endsWith('.mjs')
      ? `import('/${file}').then(({ Client }) => typeof Client)`
      : `new Promise((done) => {
          const script = Object.assign(document.createElement('script'), { src: '/${file}' });
          script.onload = () => done(typeof Grtc.Client);
          script.onerror = () => done('refused');
          window.Grtc = undefined;
          document.head.append(script);
        })`;
    expect(await page.evaluate(loaded)).toBe('function');
    await page.close();
  });
});
