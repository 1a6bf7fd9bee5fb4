// REGISTER (RFC 3261 §10): what a sign-in as a DN is towards SIP, and what keeps it alive.
import { describe, expect, it } from 'vitest';
import { callee } from './script';
import { Bench } from './sipp';
import { WirePage, type SignIn } from './wire_page';

async function onBench(play: (bench: Bench) => Promise<void>): Promise<void> {
  const bench = await Bench.start();
  try {
    await play(bench);
  } finally {
    await bench.stop();
  }
}
const signIn = (bench: Bench, options: Partial<SignIn> = {}): Promise<WirePage> => WirePage.signIn(bench.gateway, { dn: '1001', ...options });
const granted = (seconds: number): { headers: string[] } => ({ headers: [`Expires: ${seconds}`] });

describe('REGISTER', () => {
  it('is answered with credentials where the server asks for them', () =>
    onBench(async (bench) => {
      const registrar = await bench.far(
        callee()
          .receive('REGISTER', { Authorization: null, To: '1001' })
          .reply(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=SHA-256, qop="auth"'] })
          .receive('REGISTER', { Authorization: 'username="1001".*algorithm=SHA-256' })
          .reply(200, granted(600)),
      );
      await signIn(bench, { credentials: true });
      await registrar.done();
    }));

  for (const [status, reason] of [[403, 'Not your number'], [404, 'No such user'], [503, 'Come back later']] as const) {
    it(`${status} refuses the sign-in with a sentence that says why`, () =>
      onBench(async (bench) => {
        const registrar = await bench.far(callee().receive('REGISTER').reply(status, { reason }));
        await expect(signIn(bench)).rejects.toThrow(new RegExp(`${status}.*${reason}|${reason}`));
        await registrar.done();
      }));
  }

  it('423 is answered with the time that the server wants', () =>
    onBench(async (bench) => {
      const registrar = await bench.far(
        callee().receive('REGISTER').reply(423, { headers: ['Min-Expires: 7200'] }).receive('REGISTER', { Expires: '7200' }).reply(200, granted(7_200)),
      );
      await signIn(bench);
      await registrar.done();
    }));

  it('is refreshed before it expires, in the same Call-ID, and taken back at the sign-out', () =>
    onBench(async (bench) => {
      const registrar = await bench.far(
        callee()
          .receive('REGISTER', { CSeq: '1 ' })
          .reply(200, granted(6))
          .receive('REGISTER', { CSeq: '2 ' })
          .reply(200, granted(600))
          .pause(100)
          .receive('REGISTER', { CSeq: '3 ', Expires: '0' })
          .reply(200, granted(0)),
      );
      const page = await signIn(bench);
      await bench.sees(/Cseq: 2 REGISTER/i);
      await page.signOut();
      await registrar.done();
    }));

  it('a refresh that fails is tried again, and the page stays signed in', () =>
    onBench(async (bench) => {
      const registrar = await bench.far(
        callee().receive('REGISTER').reply(200, granted(6)).receive('REGISTER').reply(500).receive('REGISTER').reply(200, granted(600)),
      );
      const page = await signIn(bench);
      await registrar.done();
      const phone = await bench.far(callee().receive('INVITE').reply(486).receive('ACK'));
      await page.offer('2001');
      expect((await page.error()).sipStatus).toBe(486);
      await phone.done();
    }));

  it('the server\'s Service-Route is the way of later calls', () =>
    onBench(async (bench) => {
      const route = `<sip:127.0.0.1:${bench.port};lr;mark=7>`;
      const registrar = await bench.far(callee().receive('REGISTER').reply(200, { headers: ['Expires: 600', `Service-Route: ${route}`] }));
      const page = await signIn(bench);
      await registrar.done();
      const phone = await bench.far(callee().receive('INVITE', { Route: 'mark=7' }).reply(486).receive('ACK'));
      await page.offer('2001');
      await page.error();
      await phone.done();
    }));
});
