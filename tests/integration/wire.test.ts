// The wire as clients in the field meet it (signalling, sections 1, 2, 3 and 9), sentence by sentence, byte by byte: no page, no library.
import { createSocket } from 'node:dgram';
import { request, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gateway } from './support/gateway';
import { kOfferOfNothing, offerOf } from './support/raw_client';
import { until, within } from './support/wait';

const kOrigin = 'http://localhost:8000';
const kPollHold = 2; // s
const kSessionTimeout = 3;

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
interface Asked extends Promise<Reply> {
  abort(): void;
}

describe('the wire', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    gateway = await Gateway.start({ http: { 'poll-hold': kPollHold, 'session-timeout': kSessionTimeout } });
  });
  afterAll(() => gateway?.stop());

  /** Without `body` a GET. `path` goes out as it is. */
  function ask(path: string, body?: string, options: { method?: string; headers?: Record<string, string>; to?: Gateway } = {}): Asked {
    const [host, port] = (options.to ?? gateway).http.split(':');
    const type = { 'Content-Type': 'application/x-www-form-urlencoded; charset=UTF-8' };
    const headers = { Origin: kOrigin, ...(body === undefined ? {} : type), ...options.headers };
    const method = options.method ?? (body === undefined ? 'GET' : 'POST');
    const asked = request({ host, port, path, method, headers, agent: false });
    const reply = new Promise<Reply>((resolve, reject) => {
      asked.on('response', (got) => {
        let text = '';
        got.setEncoding('utf8').on('data', (part: string) => (text += part));
        got.on('end', () => resolve({ status: got.statusCode ?? 0, headers: got.headers, body: text })).on('error', reject);
      });
      asked.on('error', reject).end(body);
    });
    return Object.assign(within(`${path} is answered`, reply), { abort: () => void asked.destroy() });
  }
  const anonymous = (): string => `anon${crypto.randomUUID().replaceAll('-', '')}`;
  const ssidOf = ({ body }: Reply): string => /^[^=\r\n]*=([^\r\n]*)/.exec(body)![1]!; // as clients take it
  const signIn = async (id = anonymous()): Promise<string> => ssidOf(await ask(`/sign_in?${id}`));
  const message = (ssid: string, to: string, body: string): Asked => ask(`/message?from=${ssid}&to=${to}`, body);
  const kOffer = { messageType: 'OFFER', Candidates: [], offererSessionId: 1, answererSessionId: null, seq: 1, tiebreaker: 7 };
  const roap = (more: object): string => `RSMP ${JSON.stringify({ ...kOffer, ...more })}`;

  /** The next message; empty replies are passed over. */
  async function next(ssid: string): Promise<Reply> {
    for (;;) {
      const reply = await ask(`/wait?id=${ssid}`);
      if (reply.status !== 200 || reply.body !== '') return reply;
    }
  }

  describe('sign-in (section 1)', () => {
    it('answers with id=<SSID> in the first line; letters and digits only, and no DN can be one', async () => {
      const reply = await ask('/sign_in?1001');
      expect(reply.status).toBe(200);
      expect(reply.body).toMatch(/^id=S[0-9a-f]{2}[A-Za-z0-9]{22}\n/);
      expect(reply.headers['content-type']).toMatch(/^text\/plain/);
      await ask(`/sign_out?id=${ssidOf(reply)}`);
    });

    it('two are never the same', async () => {
      const all = await Promise.all(Array.from({ length: 50 }, () => signIn()));
      expect(new Set(all).size).toBe(50);
      await Promise.all(all.map((ssid) => ask(`/sign_out?id=${ssid}`)));
    });

    it.each([
      ['GET, bare', '/sign_in?1002', undefined],
      ['GET, escaped', '/sign_in?%31002', undefined],
      ['POST without a password', '/sign_in', '1002:undefined'],
      ['POST with an empty password', '/sign_in', '1002:'],
      ['POST, split at the first colon only', '/sign_in', '1002:a:b+c%20d=e'],
      ['POST without a colon', '/sign_in', '1002'],
    ])('%s: the DN is registered when the reply comes, and can be called', async (_, path, body) => {
      const ssid = ssidOf(await ask(path, body));
      const caller = await signIn();
      await message(caller, '1002', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(ssid)).body).toMatch(/^SDP .*"OFFER"/);
      await Promise.all([ask(`/sign_out?id=${caller}`), ask(`/sign_out?id=${ssid}`)]);
    });

    it('a plus in a DN stays a plus, in GET and POST', async () => {
      for (const [path, body] of [['/sign_in?+4930123'], ['/sign_in', '+4930123:undefined']] as const) {
        const signed = ssidOf(await ask(path, body));
        const caller = await signIn();
        await message(caller, '+4930123', roap({ sdp: offerOf(0, 'PCMU/8000') }));
        expect((await next(signed)).body).toMatch(/^SDP .*"OFFER"/);
        await Promise.all([ask(`/sign_out?id=${caller}`), ask(`/sign_out?id=${signed}`)]);
      }
    });
  });

  describe('every reply (section 1)', () => {
    it.each([
      ['a sign-in', '/sign_in?1003', undefined],
      ['a refused sign-in', '/sign_in?', undefined],
      ['a poll of nobody', '/wait?id=nobody', undefined],
      ['a poll without id', '/wait', undefined],
      ['a message of nobody', '/message?from=nobody&to=1', 'BYE'],
      ['a message that is too large', '/message?from=nobody&to=1', 'x'.repeat(200_000)],
      ['a sign-out of nobody', '/sign_out?id=nobody', undefined],
      ['a path that is not there', '/nothing/here', undefined],
      ['a method that is not taken', '/wait?id=nobody', ''],
      ['a broken escape', '/sign_in?%zz', undefined],
    ])('%s: plain text, not stored, readable from an allowed origin with credentials', async (_, path, body) => {
      const { status, headers } = await ask(path, body);
      expect(status === 200 || status >= 400).toBe(true);
      expect(headers['content-type']).toMatch(/^text\/plain/);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers['access-control-allow-origin']).toBe(kOrigin);
      expect(headers['access-control-allow-credentials']).toBe('true');
      expect(headers['vary']).toBe('Origin');
      expect(headers['pragma']).toBeUndefined();
      expect(headers['access-control-expose-headers']).toContain('Pragma');
    });

    it('a page that is not allowed gets 403 and no permission, and signs nobody in', async () => {
      const before = await gateway.metric('sign_ins_total');
      const reply = await ask(`/sign_in?${anonymous()}`, undefined, { headers: { Origin: 'http://elsewhere.example' } });
      expect(reply.status).toBe(403);
      expect(reply.headers['access-control-allow-origin']).toBeUndefined();
      expect(reply.headers['vary']).toBe('Origin');
      expect(await gateway.metric('sign_ins_total')).toBe(before);
    });

    it('OPTIONS is answered, though no client asks', async () => {
      const headers = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' };
      const reply = await ask('/message?from=x&to=y', undefined, { method: 'OPTIONS', headers });
      expect(reply.status).toBe(200);
      expect(reply.headers['access-control-allow-methods']).toContain('POST');
      expect(reply.headers['access-control-allow-headers']).toBe('content-type');
    });

    it('a peer whose name would break a header or a query is mapped', async () => {
      const ssid = await signIn();
      await message(ssid, '+1%20555,0%261%232', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(ssid)).headers['pragma']).toMatch(/^[^ ,&#]+$/);
      await ask(`/sign_out?id=${ssid}`);
    });
  });

  describe('polling (section 2)', () => {
    it('gives one message a reply, in order, with the peer in Pragma', async () => {
      const ssid = await signIn();
      for (let i = 0; i < 5; ++i) await message(ssid, '1', `nonsense ${i}`);
      for (let i = 0; i < 5; ++i) {
        const reply = await ask(`/wait?id=${ssid}`);
        expect(reply).toMatchObject({ status: 200, headers: { pragma: 'gateway' } });
        expect(reply.body.match(/errorType/g)).toHaveLength(1);
      }
      await ask(`/sign_out?id=${ssid}`);
    });

    it('nothing yet: an empty 200 after a while, without Pragma', async () => {
      const ssid = await signIn();
      const began = Date.now();
      const reply = await ask(`/wait?id=${ssid}`);
      expect(reply).toMatchObject({ status: 200, body: '' });
      expect(reply.headers['pragma']).toBeUndefined();
      expect(Date.now() - began).toBeGreaterThan(kPollHold * 900);
      await ask(`/sign_out?id=${ssid}`);
    });

    it('a second poll takes over, the older one ends with an empty 200 at once, and the newer one gets the message', async () => {
      const ssid = await signIn();
      const older = ask(`/wait?id=${ssid}`);
      await until('the first one waits', async () => (await gateway.metric('http_waiting')) === 2); // and this question
      const newer = ask(`/wait?id=${ssid}`);
      const began = Date.now();
      expect(await older).toMatchObject({ status: 200, body: '' });
      expect(Date.now() - began).toBeLessThan(kPollHold * 900);
      await message(ssid, '1', 'nonsense');
      expect((await newer).body).toContain('ERROR');
      await ask(`/sign_out?id=${ssid}`);
    });

    it('polls that are aborted and made again at once lose nothing and double nothing', async () => {
      const ssid = await signIn();
      for (let i = 0; i < 10; ++i) {
        const aborted = ask(`/wait?id=${ssid}`);
        aborted.catch(() => undefined);
        await until('it waits', async () => (await gateway.metric('http_waiting')) === 2);
        aborted.abort();
        await message(ssid, '1', 'nonsense');
        expect((await ask(`/wait?id=${ssid}`)).body).toContain('ERROR');
      }
      expect((await ask(`/wait?id=${ssid}`)).body).toBe('');
      await ask(`/sign_out?id=${ssid}`);
    });

    it('sign-out ends the open poll with an empty 200; then a poll gets 404, and messages 200', async () => {
      const ssid = await signIn();
      const poll = ask(`/wait?id=${ssid}`);
      await until('it waits', async () => (await gateway.metric('http_waiting')) === 2);
      expect((await ask(`/sign_out?id=${ssid}`)).status).toBe(200);
      expect(await poll).toMatchObject({ status: 200, body: '' });
      expect((await ask(`/wait?id=${ssid}`)).status).toBe(404);
      expect((await message(ssid, '1', 'BYE')).status).toBe(200);
      expect((await ask(`/sign_out?id=${ssid}`)).status).toBe(200);
    });

    it.each(['BYE first', 'sign_out first'])('BYE and sign_out on two connections, %s: the other side hears one BYE', async (order) => {
      const [caller, called] = [await signIn(), await signIn('1004')];
      await message(caller, '1004', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(called)).body).toContain('OFFER');
      const steps = [() => message(caller, '1004', 'BYE'), () => ask(`/sign_out?id=${caller}`)];
      if (order !== 'BYE first') steps.reverse();
      for (const step of steps) expect((await step()).status).toBe(200);
      expect((await next(called)).body).toMatch(/^BYE/);
      expect(await ask(`/wait?id=${called}`)).toMatchObject({ status: 200, body: '' });
      await ask(`/sign_out?id=${called}`);
    });

    it('one that vanishes is signed out after a while, and its DN is gone from the SIP server', async () => {
      const ssid = await signIn('1005');
      await until('it has expired', async () => (await gateway.metric('sessions')) === 0);
      expect((await ask(`/wait?id=${ssid}`)).status).toBe(404);
      const caller = await signIn();
      await message(caller, '1005', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(caller)).body).toMatch(/"sipStatus":4(04|80)/);
      await ask(`/sign_out?id=${caller}`);
    });
  });

  describe('messages (section 3)', () => {
    it.each(['self', 'own SSID'])('a call to %s is answered by the gateway itself, once', async (kind) => {
      const ssid = await signIn();
      await message(ssid, kind === 'self' ? 'self' : ssid, roap({ sdp: offerOf(0, 'PCMU/8000') }));
      const answer = await next(ssid);
      expect(answer.body).toMatch(/^SDP .*"ANSWER"/);
      expect(answer.body).not.toContain('OFFER');
      expect(await ask(`/wait?id=${ssid}`)).toMatchObject({ status: 200, body: '' });
      await ask(`/sign_out?id=${ssid}`);
    });

    it('to=null reaches nobody, with a reason', async () => {
      const ssid = await signIn();
      await message(ssid, 'null', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(ssid)).body).toMatch(/ERROR.*NOMATCH|NOMATCH.*ERROR/);
      expect((await next(ssid)).body).toMatch(/^BYE/);
      await ask(`/sign_out?id=${ssid}`);
    });

    it('an OFFER that is sent again every 3 s rings once, though the call is up already', async () => {
      const [caller, called] = [await signIn(), await signIn('1006')];
      const offer = roap({ sdp: offerOf(0, 'PCMU/8000') });
      await Promise.all([message(caller, '1006', offer), message(caller, '1006', offer), message(caller, '1006', offer)]);
      expect((await next(called)).body).toContain('OFFER');
      await message(caller, '1006', offer);
      expect(await ask(`/wait?id=${called}`)).toMatchObject({ status: 200, body: '' });
      await message(caller, '1006', 'BYE');
      expect((await next(called)).body).toMatch(/^BYE/);
      await Promise.all([caller, called].map((ssid) => ask(`/sign_out?id=${ssid}`)));
    });

    it('a BYE that overtakes its OFFER leaves nobody ringing', async () => {
      const [caller, called] = [await signIn(), await signIn('1007')];
      await message(caller, '1007', 'BYE');
      await message(caller, '1007', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect(await ask(`/wait?id=${called}`)).toMatchObject({ status: 200, body: '' });
      expect(await gateway.metric('calls')).toBe(0);
      await Promise.all([caller, called].map((ssid) => ask(`/sign_out?id=${ssid}`)));
    });

    it('a body is raw text, whatever its Content-Type says: plus, percent, equals and ampersand stay', async () => {
      const ssid = await signIn();
      const sdp = `${kOfferOfNothing}a=note:a+b%20c&d=e\r\n`;
      await message(ssid, '1008', roap({ sdp }));
      expect((await next(ssid)).body).toContain('"sipStatus":400'); // it was read: there is no section in it
      await ask(`/sign_out?id=${ssid}`);
    });

    it('a call comes for a page that has one: busy, and the page hears nothing of it', async () => {
      const [caller, called, other] = [await signIn(), await signIn('1009'), await signIn()];
      await message(caller, '1009', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(called)).body).toContain('OFFER');
      await message(other, '1009', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(other)).body).toContain('"sipStatus":486');
      expect(await ask(`/wait?id=${called}`)).toMatchObject({ status: 200, body: '' });
      await Promise.all([caller, called, other].map((ssid) => ask(`/sign_out?id=${ssid}`)));
    });
  });

  describe('what applications do (section 9, G4)', () => {
    it('a second sign-in of a DN takes it over: the first is told why, its call ends, calls come to the second', async () => {
      const first = await signIn('1010');
      const caller = await signIn();
      await message(first, 'echo', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(first)).body).toContain('ANSWER');
      const poll = ask(`/wait?id=${first}`);
      await until('it waits', async () => (await gateway.metric('http_waiting')) === 2);
      const second = await signIn('1010');
      expect(await poll).toMatchObject({ status: 200, body: '' });
      expect(await ask(`/wait?id=${first}`)).toMatchObject({ status: 410, body: 'The DN has signed in elsewhere' });
      await until('its call has ended', async () => (await gateway.metric('calls')) === 0);
      await message(caller, '1010', roap({ sdp: offerOf(0, 'PCMU/8000') }));
      expect((await next(second)).body).toContain('OFFER');
      expect((await ask(`/sign_out?id=${first}`)).status).toBe(200); // late: it must not take the DN from the second
      await message(caller, '1010', 'BYE');
      expect((await next(second)).body).toMatch(/^BYE/);
      await message(caller, '1010', roap({ sdp: offerOf(0, 'PCMU/8000'), offererSessionId: 2 }));
      expect((await next(second)).body).toContain('OFFER');
      await Promise.all([caller, second].map((ssid) => ask(`/sign_out?id=${ssid}`)));
    });

    it('the SIP server sees one REGISTER for each sign-in, and one that ends the binding when nobody is left', async () => {
      const registers: { callId: string; number: string; expires: number }[] = [];
      const server = createSocket('udp4');
      await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
      server.on('message', (bytes, from) => {
        const text = bytes.toString();
        if (!text.startsWith('REGISTER ')) return;
        const header = (name: string): string => new RegExp(`^${name}: *(.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';
        const [callId, number] = [header('(?:Call-ID|i)'), header('CSeq')];
        const isRepeated = registers.some((each) => each.callId === callId && each.number === number); // our answer was late
        if (!isRepeated) registers.push({ callId, number, expires: Number(/expires[=:] *(\d+)/i.exec(text)?.[1]) });
        server.send(granted(text), from.port, from.address);
      });
      const own = await Gateway.start({ sip: { server: `sip:127.0.0.1:${server.address().port};transport=udp`, 'options-interval': 0 } });
      const signInThere = async (): Promise<string> => ssidOf(await ask('/sign_in?1011', undefined, { to: own }));
      const first = await signInThere();
      const second = await signInThere();
      await ask(`/sign_out?id=${first}`, undefined, { to: own });
      await ask(`/sign_out?id=${second}`, undefined, { to: own });
      await until('the binding is removed', () => registers.length === 3);
      expect(registers.map(({ expires }) => expires)).toEqual([300, 300, 0]);
      expect(registers[1]!.callId).not.toBe(registers[0]!.callId);
      expect(registers[2]!.callId).toBe(registers[1]!.callId);
      await own.stop();
      expect(registers).toHaveLength(3);
      server.close();
    });

    it('nothing is left behind', async () => {
      await until('no session', async () => (await gateway.metric('sessions')) === 0);
      await until('no call', async () => (await gateway.metric('calls')) === 0);
      expect(await gateway.metric('calls_started_total')).toBe(await gateway.metric('calls_ended_total'));
    });
  });
});

/** 200 to a REGISTER, with the binding that it asked for. */
function granted(text: string): string {
  const kept = text.split('\r\n').filter((line) => /^(via|v|from|f|to|t|call-id|i|cseq|contact|m|expires):/i.test(line));
  const tagged = kept.map((line) => (/^(to|t):/i.test(line) ? `${line};tag=there` : line));
  return `SIP/2.0 200 OK\r\n${tagged.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`;
}
