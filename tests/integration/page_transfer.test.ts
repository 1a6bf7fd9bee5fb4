// Transfers by a page, through the API and on the softphone page.
import { describe, expect, it } from 'vitest';
import { waitForTone } from './support/browser';
import { kFirefox, kGrtc } from './support/contenders';
import { hearEachOther, talk } from './support/talk';
import { until } from './support/wait';
import type { WebParty } from './support/web_party';
import { World, worldFor } from './support/world';

const kLeft = 600;
const kRight = 1_500;
const kThird = 2_400;

describe.each([kGrtc, kFirefox])('$name transfers', (contender) => {
  const world = worldFor({ tones: [kLeft, kRight, kThird], contenders: [contender, kGrtc, kGrtc] });
  let left: WebParty;
  let right: WebParty;
  let third: WebParty;

  async function threePages(): Promise<void> {
    [left, right, third] = await Promise.all([
      world.party({ dn: '1001' }, 0),
      world.party({ dn: '1002' }, 1),
      world.party({ dn: '1003' }, 2),
    ]);
    await talk(left, '1002', right);
  }

  async function transferState(state: string): Promise<Record<string, unknown>> {
    return until(`the transfer is ${state}`, async () => {
      const told = await left.waitFor('onTransfer');
      return told['state'] === state ? told : undefined;
    });
  }

  it('to a number: the far end talks to that one, and the call ends here', async () => {
    await threePages();
    await left.evaluate("session.transferCall('1003')");
    await third.answer();
    await transferState('transferred');
    await left.waitFor('onPeerClosing');
    await hearEachOther(right, third);
    await right.hangUp();
    await third.waitFor('onPeerClosing');
  });

  it('to a number that does not exist: it is told why, and the call goes on', async () => {
    await threePages();
    await left.evaluate("session.transferCall('nobody')");
    expect(await transferState('transfer-failed')).toMatchObject({ sipStatus: 404 });
    await hearEachOther(left, right);
    await left.hangUp();
    await right.waitFor('onPeerClosing');
  });

  it('to the far end of another call of the page', async () => {
    await threePages();
    await left.evaluate(`(() => {
      window.second = new Grtc.Client({ webrtc_gateway: ${JSON.stringify(world.gateway.url)} });
      second.onMediaSuccess.add(() => second.register('1004'));
      second.onRegister.add(() => {
        window.consultation = new Grtc.MediaSession(second);
        consultation.makeOffer('1003', true, false);
      });
      second.enableMediaSource(true, false);
    })()`);
    await third.answer();
    await waitForTone(third.page, kLeft);
    await until('the consultation is set up', () => left.evaluate('consultation.isEstablished()'));
    await left.evaluate('session.transferCall(consultation)');
    await transferState('transferred');
    await left.waitFor('onPeerClosing');
    await hearEachOther(right, third);
    await left.evaluate('second.disconnect()');
    await right.hangUp();
    await third.waitFor('onPeerClosing');
  });
});

describe('the softphone page', () => {
  it('transfers: it says so where it came to nothing, and where it worked', async () => {
    const world = await World.start({ tones: [kLeft, kRight, kThird] });
    const [right, third] = await Promise.all([world.party({ dn: '1002' }, 1), world.party({ dn: '1003' }, 2)]);
    const part = (id: string): string => `[data-testid="${id}"]`;
    const page = await world.browsers[0]!.open(`${world.gateway.url}/?dn=1001&auto=1`);
    const transfer = async (to: string): Promise<void> => {
      await page.click(part('transfer-toggle'));
      await page.fill(part('transfer-to'), to);
      await page.click(part('transfer-go'));
    };
    const notice = (text: RegExp): Promise<unknown> =>
      until(`it says ${text}`, async () => (await page.isVisible(part('notice'))) && text.test((await page.textOf(part('notice-text'))) ?? ''));

    await until('signed in', () => page.isVisible(part('home')));
    await page.fill(part('dial-number'), '1002');
    await page.click(part('call-audio'));
    await right.answer();
    await waitForTone(page, kRight);
    await transfer('nobody');
    await notice(/not transferred.*nobody/);
    await waitForTone(page, kRight);
    await transfer('1003');
    await third.answer();
    await notice(/1002 has been transferred to 1003/);
    await until('back at the dialler', () => page.isVisible(part('home')));
    await hearEachOther(right, third);
    await page.close();
    await world.clear();
    await world.stop();
  });
});
