// What a SIP far end does in one scenario, written as a row of steps and run by sipp.
//
//   callee().receive('INVITE').reply(180).answer().take('BYE')
//   caller('1001').invite({ sdp: kOffer }).expect(180).expect(200).ack().ask('BYE')
//
// A callee's requests, and a caller's after its INVITE, are in the call's dialog. sipp fails a scenario at once when anything
// else comes than the next step says, or nothing does.
import { kAnswer, kOffer } from './sdp';

/** Header name → what its value must match (POSIX extended, as sipp has it); null: there is no such header. */
export type Expected = Record<string, string | null>;

export interface Content {
  sdp?: string;
  body?: string;
  type?: string; // of `body`
  headers?: string[]; // whole lines
}
export interface Reply extends Content {
  to?: string; // the method that is answered, if not the last request's
  branch?: string; // of a forked INVITE: a tag of its own
  reason?: string;
}
export interface Request extends Content {
  branch?: string;
  target?: string; // Request-URI, if not the far end's Contact
}

const kReasons: Record<number, string> = { 180: 'Ringing', 183: 'Session Progress', 200: 'OK', 202: 'Accepted', 491: 'Request Pending' };

// Requests that come without a To tag, unless they are in a dialog.
const kOutsideDialogs = ['INVITE', 'CANCEL', 'OPTIONS', 'REGISTER'];

const inAttribute = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export class Script {
  private readonly steps: string[] = [];
  private readonly variables = new Set<string>();
  private readonly received = new Map<string, { id: number; needsTag: boolean }>(); // method → the last such request
  private hasAnswered = false;
  private last = '';
  private lastSent = '';
  private count = 0;
  private cseq = 0;
  private inviteCseq = 0;
  private inviteStep = 0; // sipp names branches by the distance to the step that made them
  private inviteTarget = '';

  constructor(
    readonly role: 'callee' | 'caller',
    private readonly callee: string,
  ) {}

  // ---- what comes in ----

  /** A request. An INVITE that is answered makes the dialog; until then each is a new one (after a 401, say). */
  receive(method: string, expected: Expected = {}): this {
    const id = ++this.count;
    const isFirst = this.role === 'callee' && !this.hasAnswered;
    this.received.set(method, { id, needsTag: isFirst && kOutsideDialogs.includes(method) });
    if (method !== 'ACK') this.letRepeatedAckPass();
    this.last = method;
    const captures = ['Via', 'From', 'To', 'CSeq'].map((name) => this.capture(`${name.toLowerCase()}${id}`, name));
    if (isFirst && method === 'INVITE') captures.push(this.capture('remote', 'From'), this.capture('local', 'To'));
    if (method === 'INVITE' || method === 'UPDATE') captures.push(this.capture('target', 'Contact', 'sips?:[^&gt;]*'));
    this.steps.push(`<recv request="${method}"><action>${captures.join('')}${this.checks(expected)}</action></recv>`);
    return this;
  }

  /** A response to the last request that was sent. 100 may come before it. */
  expect(status: number, expected: Expected = {}): this {
    if (status > 100 && this.lastSent === 'INVITE') this.steps.push('<recv response="100" optional="true"/>');
    this.letRepeatedAckPass();
    const captures: string[] = [];
    if (this.lastSent === 'INVITE' && status > 100 && status < 300) {
      captures.push(this.capture('remote', 'To'), this.capture('target', 'Contact', 'sips?:[^&gt;]*'));
      captures.push(this.capture('rseq', 'RSeq', '[0-9]+', false));
    }
    const failed = status >= 300 && (this.lastSent === 'INVITE' || (this.lastSent === 'CANCEL' && status === 487));
    if (failed) captures.push(this.capture('remote', 'To'));
    this.steps.push(`<recv response="${status}"><action>${captures.join('')}${this.checks(expected)}</action></recv>`);
    if (failed) this.acknowledgeFailure();
    return this;
  }

  /** The 200 of the INVITE, behind other requests in its dialog. */
  inviteAnswered(expected: Expected = {}): this {
    this.lastSent = 'INVITE';
    return this.expect(200, expected);
  }

  /** Responses that may come before the next step, or not. */
  maybe(...statuses: number[]): this {
    for (const status of statuses) this.steps.push(`<recv response="${status}" optional="true"/>`);
    return this;
  }

  // ---- what goes out ----

  reply(status: number, reply: Reply = {}): this {
    const method = reply.to ?? this.last;
    const { id, needsTag } = this.received.get(method) ?? { id: 0, needsTag: false };
    const tag = needsTag ? `;tag=${reply.branch ?? 'a'}[call_number]` : ''; // RFC 3261 §8.2.6.2
    if (method === 'INVITE' && status >= 200 && status < 300) this.hasAnswered = true;
    return this.send(
      `SIP/2.0 ${status} ${reply.reason ?? kReasons[status] ?? 'Because'}`,
      [`Via: [$via${id}]`, `From: [$from${id}]`, `To: [$to${id}]${tag}`, 'Call-ID: [call_id]', `CSeq: [$cseq${id}]`],
      reply,
    );
  }

  /** The INVITE of a caller; again: with a CSeq of its own, in the dialog if there is one. */
  invite(content: Content = {}): this {
    return this.request('INVITE', content);
  }

  request(method: string, request: Request = {}): this {
    const [target, cseq] = [this.target(request), ++this.cseq];
    this.lastSent = method;
    if (method === 'INVITE') [this.inviteTarget, this.inviteCseq, this.inviteStep] = [target, cseq, this.steps.length];
    return this.send(`${method} ${target} SIP/2.0`, this.dialogHeaders(`${cseq} ${method}`, request), request);
  }

  /** ACK of a 2xx. */
  ack(content: Content = {}): this {
    return this.send(`ACK ${this.target({})} SIP/2.0`, this.dialogHeaders(`${this.inviteCseq} ACK`, {}), content);
  }

  /** PRACK of the last reliable provisional response. */
  prack(content: Content = {}): this {
    const headers = [...(content.headers ?? []), `RAck: [$rseq] ${this.inviteCseq} INVITE`];
    return this.request('PRACK', { ...content, headers });
  }

  cancel(content: Content = {}): this {
    this.lastSent = 'CANCEL';
    const parties = this.parties(`<${this.initialTarget()}>`);
    const headers = [this.via(this.inviteBranch()), 'Max-Forwards: 70', ...parties, `CSeq: ${this.inviteCseq} CANCEL`];
    return this.send(`CANCEL ${this.inviteTarget} SIP/2.0`, headers, content);
  }

  /** Lets this much time pass before the next step: a far end that thinks. */
  pause(milliseconds: number): this {
    this.steps.push(`<pause milliseconds="${milliseconds}"/>`);
    return this;
  }

  // ---- several steps that are one thing ----

  /** Answers the INVITE that is open; the ACK must come to the same branch. */
  answer(reply: Reply = { sdp: kAnswer }): this {
    return this.reply(200, { to: 'INVITE', ...reply }).receive('ACK', reply.branch ? { To: `tag=${reply.branch}` } : {});
  }

  /** Refuses the INVITE that is open, for good or to be tried again. */
  refuse(status: number, reply: Reply = {}): this {
    return this.reply(status, { to: 'INVITE', ...reply }).receive('ACK');
  }

  /** A provisional response that asks for PRACK (RFC 3262), with it. */
  reliably(status: number, rseq: number, reply: Reply = {}): this {
    const headers = [...(reply.headers ?? []), 'Require: 100rel', `RSeq: ${rseq}`];
    return this.reply(status, { to: 'INVITE', ...reply, headers }).take('PRACK', { RAck: `^ *${rseq} [0-9]+ INVITE` });
  }

  /** A request, to which it says 200. */
  take(method: string, expected: Expected = {}): this {
    return this.receive(method, expected).reply(200);
  }

  /** Its own request, which gets 200. */
  ask(method: string, request: Request = {}, expected: Expected = {}): this {
    return this.request(method, request).expect(200, expected);
  }

  /** A request that comes again with credentials, as this asks for them; a former nonce is stale then. */
  challenge(method: string, nonce: string, status: 401 | 407 = 401, algorithm = 'MD5'): this {
    const [asking, given] = status === 401 ? ['WWW-Authenticate', 'Authorization'] : ['Proxy-Authenticate', 'Proxy-Authorization'];
    this.receive(method).reply(status, { headers: [`${asking}: Digest realm="far", nonce="${nonce}", algorithm=${algorithm}, stale=true, qop="auth"`] });
    if (method === 'INVITE') this.receive('ACK');
    return this.receive(method, { [given!]: `nonce="${nonce}".*response=` });
  }

  reinvite(content: Content, expected: Expected = {}): this {
    return this.ask('INVITE', content, expected).ack();
  }

  /** The 200 of its INVITE, and the ACK. */
  answered(expected: Expected = {}, ack: Content = {}): this {
    return this.inviteAnswered(expected).ack(ack);
  }

  hangUp(): this {
    return this.ask('BYE');
  }

  xml(name: string): string {
    const used = [...this.variables].join(',');
    return `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="${inAttribute(name)}">\n${this.steps.join('\n')}\n${
      used ? `<Reference variables="${used}"/>\n` : ''
    }</scenario>\n`;
  }

  // ---- inside ----

  /** Where sipp is slow an INVITE comes twice, both are answered, and each answer has its ACK. */
  private letRepeatedAckPass(): void {
    if (this.received.has('ACK')) this.steps.push('<recv request="ACK" optional="true"/>');
  }

  private capture(variable: string, header: string, pattern = '.*', needed = true): string {
    this.variables.add(variable);
    return `<ereg regexp="${pattern}" search_in="hdr" start_line="true" header="${header}:" ${needed ? 'check_it="true" ' : ''}assign_to="${variable}"/>`;
  }

  private checks(expected: Expected): string {
    return Object.entries(expected)
      .map(([header, pattern], index) => {
        const variable = `check${index}`;
        this.variables.add(variable);
        const where = header === 'body' ? 'search_in="body"' : header === 'line' ? 'search_in="msg"' : `search_in="hdr" start_line="true" header="${header}:"`;
        const rule = pattern === null ? 'check_it_inverse="true"' : 'check_it="true"';
        return `<ereg regexp="${inAttribute(pattern ?? '.+')}" ${where} ${rule} assign_to="${variable}"/>`;
      })
      .join('');
  }

  private via(branch = '[branch]'): string {
    return `Via: SIP/2.0/[protocol] [here];branch=${branch}`;
  }

  private initialTarget(): string {
    return `sip:${this.callee}@[remote_ip]:[remote_port]`;
  }

  private target(request: Request): string {
    if (request.target) return request.target;
    return this.variables.has('target') ? '[$target]' : this.initialTarget();
  }

  private parties(to: string): string[] {
    return [`From: <sip:far@[local_ip]:[local_port]>;tag=far[call_number]`, `To: ${to}`, 'Call-ID: [call_id]'];
  }

  private dialogHeaders(cseq: string, request: Request, via = this.via()): string[] {
    const known = this.variables.has('remote');
    const parties =
      this.role === 'caller'
        ? this.parties(known ? '[$remote]' : `<${this.initialTarget()}>`)
        : [`From: [$local];tag=${request.branch ?? 'a'}[call_number]`, 'To: [$remote]', 'Call-ID: [call_id]'];
    return [via, 'Max-Forwards: 70', ...parties, `CSeq: ${cseq}`];
  }

  private inviteBranch(): string {
    return `[branch-${this.steps.length - this.inviteStep}]`;
  }

  /** RFC 3261 §17.1.1.3: of the INVITE's transaction. */
  private acknowledgeFailure(): void {
    this.send(`ACK ${this.inviteTarget} SIP/2.0`, this.dialogHeaders(`${this.inviteCseq} ACK`, {}, this.via(this.inviteBranch())), {});
  }

  private send(start: string, headers: string[], content: Content): this {
    const body = content.sdp ?? content.body;
    const type = content.sdp !== undefined ? 'application/sdp' : content.type;
    const own = content.headers ?? [];
    const contact = own.some((line) => line.startsWith('Contact:')) ? [] : ['Contact: <sip:far@[here];transport=[protocol]>'];
    const lines = [start, ...headers, ...contact, ...own, ...(body === undefined ? [] : [`Content-Type: ${type}`]), 'Content-Length: [len]', ''];
    const text = [...lines, ...(body ?? '').trimEnd().split(/\r?\n/)].join('\n');
    this.steps.push(`<send><![CDATA[\n${text}\n]]></send>`);
    return this;
  }
}

/** A far end that is called by the gateway. */
export const callee = (): Script => new Script('callee', '');
/** One that answers. */
export const answering = (expected: Expected = {}): Script => callee().receive('INVITE', expected).answer();
/** A far end that calls this DN at the gateway. */
export const caller = (dn: string): Script => new Script('caller', dn);
/** One that hears it ring. */
export const ringing = (dn: string, invite: Content = { sdp: kOffer }): Script => caller(dn).invite(invite).expect(180);
