// Data that pages attach to a call: a header of the INVITE and of its 200, both ways, at most 4 KiB.
import { describe, expect } from 'vitest';
import { scenario, type Cast } from './scenario';
import { answering, callee, ringing } from './script';
import { kAnswer, kOffer } from './sdp';
import { kPageOffer } from './wire_page';

const kHeader = 'X-Attached-Data';
const header = (value: string, name = kHeader): { headers: string[] } => ({ headers: [`${name}: ${value}`] });
const kHard = [{ key: 'Name', value: 'Jürgen & Co' }, { key: 'OFFER', value: 'a=b\r\nVia: c' }];
const kHardText = 'Name=J%C3%BCrgen%20%26%20Co&OFFER=a%3Db%0D%0AVia%3A%20c';
// 4 KiB with key and sign, and one byte more.
const [kMost, kTooMuch] = [4_094, 4_095].map((size) => ({ text: `k=${'x'.repeat(size)}`, items: [{ key: 'k', value: 'x'.repeat(size) }] })) as [Sized, Sized];
interface Sized {
  text: string;
  items: { key: string; value: string }[];
}
const limitsReached = ({ bench }: Cast): Promise<number> => bench.gateway.metric('limits_reached_total');

describe('data attached to a call', () => {
  scenario('of a page that calls: a header of the INVITE', {}, async ({ dial }) => {
    const call = await dial(answering({ [kHeader]: kHardText }).take('BYE'), kPageOffer, { attacheddata: kHard });
    await call.answered();
    await call.hangUp();
  });

  scenario('of the far end that answers: in the page\'s ANSWER', {}, async ({ inCall }) => {
    const call = await inCall(callee().receive('INVITE', { [kHeader]: null }).answer({ sdp: kAnswer, ...header(kHardText) }).take('BYE'));
    expect(call.answer.attacheddata).toEqual(kHard);
    await call.hangUp();
  });

  scenario('of a far end that calls: in the page\'s OFFER', { dn: '1001' }, async ({ called }) => {
    const call = await called(ringing('1001', { sdp: kOffer, ...header(kHardText) }).expect(603));
    expect(call.offer.attacheddata).toEqual(kHard);
    await call.hangUp();
  });

  scenario('of a page that answers: a header of the 200', { dn: '1001' }, async ({ answers }) => {
    const call = await answers(ringing('1001').answered({ [kHeader]: kHardText }).hangUp(), { attacheddata: kHard });
    await call.hungUp();
  });

  scenario('the header has another name where one is configured', { configuration: { sip: { 'attached-data-header': 'X-Case' } } }, async ({ dial }) => {
    const call = await dial(
      callee().receive('INVITE', { 'X-Case': 'k=v', [kHeader]: null }).answer({ sdp: kAnswer, ...header('a=1', 'X-Case') }).take('BYE'),
      kPageOffer,
      { attacheddata: [{ key: 'k', value: 'v' }] },
    );
    expect((await call.answered()).attacheddata).toEqual([{ key: 'a', value: '1' }]);
    await call.hangUp();
  });

  scenario('4 KiB travel both ways', { transport: 'tcp' }, async (cast) => {
    const call = await cast.dial(
      callee().receive('INVITE', { [kHeader]: `^ ?k=x+$` }).answer({ sdp: kAnswer, ...header(kMost.text) }).take('BYE'),
      kPageOffer,
      { attacheddata: kMost.items },
    );
    expect((await call.answered()).attacheddata).toEqual(kMost.items);
    await call.hangUp();
    expect(cast.bench.received(new RegExp(`^${kHeader}: ${kMost.text}\\r?$`, 'm'))).toHaveLength(1);
    expect(await limitsReached(cast)).toBe(0);
  });

  scenario('more stays behind, either way, and the call goes on', { transport: 'tcp' }, async (cast) => {
    const call = await cast.dial(
      callee().receive('INVITE', { [kHeader]: null }).answer({ sdp: kAnswer, ...header(kTooMuch.text) }).take('BYE'),
      kPageOffer,
      { attacheddata: kTooMuch.items },
    );
    expect((await call.answered()).attacheddata ?? []).toEqual([]);
    await call.hangUp();
    expect(await limitsReached(cast)).toBe(2);
  });
});
