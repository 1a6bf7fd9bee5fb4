// What a SIP far end does in one scenario, written as a row of steps and run by sipp.
//
//   callee().receive('INVITE').reply(180).reply(200, { sdp: kAnswer }).receive('ACK').receive('BYE').reply(200)
//   caller('1001').invite({ sdp: kOffer }).expect(200).ack().request('BYE').expect(200)
//
// A callee's requests, and a caller's after its INVITE, are in the call's dialog. sipp fails a scenario at once when anything
// else comes than the next step says, or nothing does.

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

const inAttribute = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export class Script {
  private readonly steps: string[] = [];
  private readonly variables = new Set<string>();
  private readonly received = new Map<string, number>(); // method → number of the last such request
  private last = '';
  private lastSent = '';
  private count = 0;
  private cseq = 0;
  private inviteCseq = 0;
  private inviteStep = 0; // sipp names branches by the distance to the step that made them

  constructor(
    readonly role: 'callee' | 'caller',
    private readonly callee: string,
  ) {}

  // ---- what comes in ----

  /** A request. Its first INVITE makes the dialog. */
  receive(method: string, expected: Expected = {}): this {
    const id = ++this.count;
    const first = method === 'INVITE' && this.role === 'callee' && !this.received.has('INVITE');
    this.received.set(method, id);
    this.last = method;
    const captures = ['Via', 'From', 'To', 'CSeq'].map((name) => this.capture(`${name.toLowerCase()}${id}`, name));
    if (first) captures.push(this.capture('remote', 'From'), this.capture('local', 'To'));
    if (method === 'INVITE' || method === 'UPDATE') captures.push(this.capture('target', 'Contact', 'sips?:[^&gt;]*'));
    this.steps.push(`<recv request="${method}"><action>${captures.join('')}${this.checks(expected)}</action></recv>`);
    return this;
  }

  /** A response to the last request that was sent. 100 may come before it. */
  expect(status: number, expected: Expected = {}): this {
    if (status > 100 && this.lastSent === 'INVITE') this.steps.push('<recv response="100" optional="true"/>');
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

  /** One of these, and nothing else. */
  expectAny(statuses: number[]): this {
    const last = statuses.at(-1)!;
    for (const status of statuses.slice(0, -1)) this.steps.push(`<recv response="${status}" optional="true" next="any${this.count}"/>`);
    this.steps.push(`<recv response="${last}"/>`, `<label id="any${this.count}"/>`);
    return this;
  }

  /** Responses that may come before the next step, or not. */
  maybe(...statuses: number[]): this {
    for (const status of statuses) this.steps.push(`<recv response="${status}" optional="true"/>`);
    return this;
  }

  // ---- what goes out ----

  reply(status: number, reply: Reply = {}): this {
    const method = reply.to ?? this.last;
    const id = this.received.get(method);
    const tag = this.role === 'callee' && id === 1 ? `;tag=${reply.branch ?? 'a'}[call_number]` : '';
    return this.send(
      `SIP/2.0 ${status} ${reply.reason ?? kReasons[status] ?? 'Because'}`,
      [`Via: [$via${id}]`, `From: [$from${id}]`, `To: [$to${id}]${tag}`, 'Call-ID: [call_id]', `CSeq: [$cseq${id}]`],
      reply,
    );
  }

  /** The INVITE of a caller; again: with a CSeq of its own, in the dialog if there is one. */
  invite(content: Content = {}): this {
    this.inviteCseq = this.cseq + 1;
    this.inviteStep = this.steps.length;
    return this.request('INVITE', content);
  }

  request(method: string, request: Request = {}): this {
    this.lastSent = method;
    return this.send(`${method} ${this.target(request)} SIP/2.0`, this.dialogHeaders(method, ++this.cseq, request), request);
  }

  /** ACK of a 2xx. */
  ack(content: Content = {}): this {
    return this.send(`ACK ${this.target({})} SIP/2.0`, this.dialogHeaders('ACK', this.inviteCseq || this.cseq, {}), content);
  }

  /** PRACK of the last reliable provisional response. */
  prack(content: Content = {}): this {
    const headers = [...(content.headers ?? []), `RAck: [$rseq] ${this.inviteCseq} INVITE`];
    return this.request('PRACK', { ...content, headers });
  }

  cancel(): this {
    this.lastSent = 'CANCEL';
    const headers = [...this.parties(`<${this.initialTarget()}>`), this.via(this.inviteBranch()), `CSeq: ${this.inviteCseq} CANCEL`];
    return this.send(`CANCEL ${this.initialTarget()} SIP/2.0`, headers, {});
  }

  /** Lets this much time pass before the next step: a far end that thinks. */
  pause(milliseconds: number): this {
    this.steps.push(`<pause milliseconds="${milliseconds}"/>`);
    return this;
  }

  xml(name: string): string {
    const used = [...this.variables].join(',');
    return `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="${inAttribute(name)}">\n${this.steps.join('\n')}\n${
      used ? `<Reference variables="${used}"/>\n` : ''
    }</scenario>\n`;
  }

  // ---- inside ----

  private capture(variable: string, header: string, pattern = '.*', needed = true): string {
    this.variables.add(variable);
    return `<ereg regexp="${pattern}" search_in="hdr" header="${header}:" ${needed ? 'check_it="true" ' : ''}assign_to="${variable}"/>`;
  }

  private checks(expected: Expected): string {
    return Object.entries(expected)
      .map(([header, pattern], index) => {
        const variable = `check${index}`;
        this.variables.add(variable);
        const where = header === 'body' ? 'search_in="body"' : header === 'line' ? 'search_in="msg"' : `search_in="hdr" header="${header}:"`;
        const rule = pattern === null ? 'check_it_inverse="true"' : 'check_it="true"';
        return `<ereg regexp="${inAttribute(pattern ?? '.+')}" ${where} ${rule} assign_to="${variable}"/>`;
      })
      .join('');
  }

  private via(branch = '[branch]'): string {
    return `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`;
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

  private dialogHeaders(method: string, cseq: number, request: Request): string[] {
    const known = this.variables.has('remote');
    const parties =
      this.role === 'caller'
        ? this.parties(known ? '[$remote]' : `<${this.initialTarget()}>`)
        : [`From: [$local];tag=${request.branch ?? 'a'}[call_number]`, 'To: [$remote]', 'Call-ID: [call_id]'];
    return [this.via(), 'Max-Forwards: 70', ...parties, `CSeq: ${cseq} ${method}`];
  }

  private inviteBranch(): string {
    return `[branch-${this.steps.length - this.inviteStep}]`;
  }

  private acknowledgeFailure(): void {
    this.send(`ACK ${this.initialTarget()} SIP/2.0`, [this.via(this.inviteBranch()), ...this.parties('[$remote]'), `CSeq: ${this.inviteCseq} ACK`], {});
  }

  private send(start: string, headers: string[], content: Content): this {
    const body = content.sdp ?? content.body;
    const type = content.sdp !== undefined ? 'application/sdp' : content.type;
    const own = content.headers ?? [];
    const contact = own.some((line) => line.startsWith('Contact:')) ? [] : ['Contact: <sip:far@[local_ip]:[local_port];transport=[transport]>'];
    const lines = [start, ...headers, ...contact, ...own, ...(body === undefined ? [] : [`Content-Type: ${type}`]), 'Content-Length: [len]', ''];
    const text = [...lines, ...(body ?? '').trimEnd().split(/\r?\n/)].join('\n');
    this.steps.push(`<send><![CDATA[\n${text}\n]]></send>`);
    return this;
  }
}

/** A far end that is called by the gateway. */
export const callee = (): Script => new Script('callee', '');
/** A far end that calls this DN at the gateway. */
export const caller = (dn: string): Script => new Script('caller', dn);
