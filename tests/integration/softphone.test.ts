// The softphone page that the gateway serves, used as a person would: sign in, call, digits, hold, mute, hang up, be called.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitForFrames, waitForSilence, waitForSound, waitForTone, type TestPage } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { until } from './support/wait';
import { World } from './support/world';

const kLeft = 600;
const kRight = 1_500;

describe.each([kGrtc, kFirefox])('the softphone page, $browser', (contender) => {
  let world: World;
  const part = (id: string): string => `[data-testid="${id}"]`;
  const shown = (page: TestPage, id: string): Promise<boolean> => page.isVisible(part(id));
  const press = (page: TestPage, id: string): Promise<void> => page.click(part(id));

  beforeAll(async () => {
    world = await World.start({ tones: [kLeft, kRight], contenders: [contender] });
  });
  afterAll(() => world?.stop());

  const open = async (browser: number, dn?: string): Promise<TestPage> => {
    const page = await world.browsers[browser]!.open(`${world.gateway.url}/`);
    if (dn) {
      await page.fill(part('dn'), dn);
      await press(page, 'sign-in');
    } else {
      await press(page, 'anonymous');
    }
    await until('signed in', () => shown(page, 'home'));
    return page;
  };

  it('calls the echo: hears itself, holds, resumes, mutes, sends digits, hangs up', async () => {
    const page = await open(0, '1001');
    await press(page, 'quick-echo');
    await waitForTone(page, kLeft);
    await press(page, 'mute');
    await waitForSilence(page);
    await press(page, 'mute');
    await waitForTone(page, kLeft);
    await press(page, 'keypad-toggle');
    await press(page, 'digit-5');
    await until('the digit is shown', async () => (await page.textOf(part('digits-sent')))?.includes('5'));
    await press(page, 'keypad-toggle');
    await press(page, 'hold');
    await waitForSilence(page);
    await press(page, 'hold');
    await waitForSound(page);
    await press(page, 'hang-up');
    await until('back at the dialler', () => shown(page, 'home'));
    await page.close();
  });

  it('a guest sees and hears itself through the gateway', async () => {
    const page = await open(0);
    await press(page, 'quick-self');
    await waitForTone(page, kLeft);
    await waitForFrames(page, 20);
    await press(page, 'hang-up');
    await until('back at the dialler', () => shown(page, 'home'));
    await page.close();
  });

  it('two pages call each other with video, one rejects, one accepts', async () => {
    const [left, right] = await Promise.all([open(0, '1001'), open(1, '1002')]);
    await left.fill(part('dial-number'), '1002');
    await press(left, 'call-video');
    await until('it rings', () => shown(right, 'incoming'));
    expect(await right.textOf(part('incoming-peer'))).toContain('1001');
    await press(right, 'reject');
    await until('the caller is told', () => shown(left, 'notice'));
    await until('back at the dialler', () => shown(left, 'home'));

    await left.fill(part('dial-number'), '1002');
    await press(left, 'call-video');
    await until('it rings', () => shown(right, 'incoming'));
    await press(right, 'accept-video');
    await Promise.all([waitForTone(left, kRight), waitForTone(right, kLeft)]);
    await Promise.all([waitForFrames(left, 20), waitForFrames(right, 20)]);
    // The picture of the README: CROSSPOINT_PICTURE=docs/images/page.png ./test softphone
    const picture = process.env['CROSSPOINT_PICTURE'];
    if (picture) await left.screenshot(picture);
    await press(right, 'hang-up');
    await until('back at the dialler', () => shown(left, 'home'));
    expect(world.browsers.flatMap((browser) => browser.errors)).toEqual([]);
    await Promise.all([left.close(), right.close()]);
  });
});
