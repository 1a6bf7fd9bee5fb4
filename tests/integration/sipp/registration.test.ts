// REGISTER (RFC 3261 §10): what a sign-in as a DN is towards SIP, and what keeps it alive. Two wait for a refresh, which never comes
// sooner than 5 s.
import { describe, expect } from 'vitest';
import { rightCredentials } from './digest';
import { onBench } from './scenario';
import { callee } from './script';

const granted = (seconds: number, ...more: string[]): { headers: string[] } => ({ headers: [`Expires: ${seconds}`, ...more] });
const kBusy = callee().receive('INVITE').refuse(486);

describe('REGISTER', () => {
  onBench('is answered with credentials where the server asks for them, and so is the one that takes it back', {}, async (bench) => {
    const registrar = await bench.far(
      callee()
        .receive('REGISTER', { Authorization: null, To: '1001' })
        .reply(401, { headers: ['WWW-Authenticate: Digest realm="far", nonce="n1", algorithm=SHA-256, qop="auth"'] })
        .receive('REGISTER', { Authorization: 'username="1001".*algorithm=SHA-256' })
        .reply(200, granted(600))
        .challenge('REGISTER', 'n2')
        .reply(200, granted(0)),
    );
    const page = await bench.signIn({ dn: '1001', credentials: true });
    await page.signOut();
    await registrar.done();
    expect(rightCredentials(bench)).toBeGreaterThanOrEqual(2);
  });

  onBench('is answered with credentials where a proxy asks for them', {}, async (bench) => {
    const registrar = await bench.far(callee().challenge('REGISTER', 'n1', 407).reply(200, granted(600)));
    await bench.signIn({ dn: '1001', credentials: true });
    await registrar.done();
    expect(rightCredentials(bench)).toBe(1);
  });

  const kRefusals = [
    [403, 'Not your number', 403, 'The SIP server does not let 1001 sign in'],
    [404, 'No such user', 404, 'The SIP server does not know 1001'],
    [500, 'Out of order', 502, 'The SIP server refused to register 1001'],
    [503, 'Come back later', 503, 'The SIP server is overloaded or cannot be reached, so 1001 is not signed in'],
  ] as const;
  for (const [status, reason, http, sentence] of kRefusals) {
    onBench(`${status} refuses the sign-in with a sentence that says why`, {}, async (bench) => {
      const registrar = await bench.far(callee().receive('REGISTER').reply(status, { reason }));
      await expect(bench.signIn({ dn: '1001' })).rejects.toThrow(`sign-in as 1001: ${http} ${sentence} (${status} ${reason})`);
      await registrar.done();
    });
  }

  onBench('423 is answered with the time that the server wants', {}, async (bench) => {
    const registrar = await bench.far(
      callee().receive('REGISTER').reply(423, { headers: ['Min-Expires: 7200'] }).receive('REGISTER', { Expires: '7200' }).reply(200, granted(7_200)),
    );
    await bench.signIn({ dn: '1001' });
    await registrar.done();
  });

  onBench('is refreshed before it expires, in the same Call-ID, and taken back at the sign-out', {}, async (bench) => {
    const registrar = await bench.far(
      callee()
        .receive('REGISTER', { CSeq: '1 ' })
        .reply(200, granted(6))
        .receive('REGISTER', { CSeq: '2 ' })
        .reply(200, granted(600))
        .receive('REGISTER', { CSeq: '3 ', Expires: '0' })
        .reply(200, granted(0)),
    );
    const page = await bench.signIn({ dn: '1001' });
    await bench.sees(/Cseq: 2 REGISTER/i);
    await page.signOut();
    await registrar.done();
    const [first, second] = bench.received(/^REGISTER /m).map(({ at }) => at);
    expect(second! - first!).toBeLessThan(6_000);
  });

  onBench('a refresh that fails is tried again, and the page stays signed in', {}, async (bench) => {
    const registrar = await bench.far(
      callee().receive('REGISTER').reply(200, granted(6)).receive('REGISTER').reply(500).receive('REGISTER').reply(200, granted(600)),
    );
    const page = await bench.signIn({ dn: '1001' });
    await registrar.done();
    const phone = await bench.far(kBusy);
    await page.offer('2001');
    expect((await page.error()).sipStatus).toBe(486);
    await phone.done();
  });

  onBench('the server\'s Service-Route is the way of later calls', {}, async (bench) => {
    const route = `Service-Route: <sip:127.0.0.1:${bench.port};lr;mark=7>`;
    const registrar = await bench.far(callee().receive('REGISTER').reply(200, granted(600, route)));
    const page = await bench.signIn({ dn: '1001' });
    await registrar.done();
    const phone = await bench.far(callee().receive('INVITE', { Route: 'mark=7' }).refuse(486));
    await page.offer('2001');
    expect((await page.error()).sipStatus).toBe(486);
    await phone.done();
  });
});
