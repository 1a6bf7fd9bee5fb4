// Signing in: one gateway, or the first of several that can be reached (signalling, section 1).
//
// A sign-in may take long, because the gateway answers when the SIP server has decided. So whether a gateway is there at
// all is asked beside it, where another one could be tried instead. An attempt that is given up for another gateway is
// not to leave us signed in at two: its connection is closed, which takes the sign-in back, or if the reply should still
// come, we sign out.

import { delay, Limit } from './delay.js';
import { CONNECTION_ERROR, describe, GrtcError } from './errors.js';
import type { Logger } from './log.js';
import { queryValue, readLogin, type Identity, type Login } from './login.js';
import type { HttpReply, Platform } from './platform/platform.js';
import { isReachable } from './reach.js';

/** The gateway said "no", which another gateway would say too. */
export class Refusal extends GrtcError {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(CONNECTION_ERROR, message);
  }
}

/** How long the reply may take before we ask whether the gateway is there at all. */
const kProbeAfter = 1500;
/** How long an attempt that was given up may still be answered, so that we can sign out. */
const kLateReplyMax = 5000;
const kSignOutTimeout = 3000;

export class SignIn {
  readonly #platform: Platform;
  readonly #log: Logger;
  readonly #known: readonly string[];

  constructor(platform: Platform, log: Logger, known: readonly string[]) {
    this.#platform = platform;
    this.#log = log;
    this.#known = known;
  }

  /**
   * A login, or why this gateway could not be used and another one is worth a try. `resume` is the session that we may
   * still have there. Rejects with a Refusal, and with CONNECTION_ERROR once the signal is aborted.
   */
  async try(
    gateway: string,
    identity: Identity,
    options: { resume: string | null; hasOthers: boolean; signal: AbortSignal },
  ): Promise<Login | string> {
    const { resume, hasOthers, signal } = options;
    this.#log.info(`Signing in as ${identity.id} at ${gateway}.`);
    const attempt = new AbortController();
    const giveUp = (): void => attempt.abort();
    signal.addEventListener('abort', giveUp);
    const asked = this.#ask(gateway, identity, resume, attempt.signal);
    try {
      const reply = hasOthers ? await Promise.race([asked, this.#isAbsent(gateway, asked, signal)]) : await asked;
      if (signal.aborted) throw new Error('The sign-in was given up.');
      if (reply === 'absent') {
        void this.#abandon(gateway, identity, asked, attempt, resume);
        return `The gateway ${gateway} does not answer.`;
      }
      return readReply(gateway, identity, reply, hasOthers);
    } catch (error) {
      if (signal.aborted) {
        void this.#abandon(gateway, identity, asked, attempt, resume); // the answer may have come in this moment
        throw new GrtcError(CONNECTION_ERROR, 'The sign-in was given up.');
      }
      if (error instanceof GrtcError) throw error;
      // A browser hides the replies of a gateway that does not allow the page: all that can be told is that it is there.
      if (await isReachable(this.#platform, gateway, signal)) {
        return `The gateway ${gateway} answers, but not to this page: its [http] allowed-origins must have where the page comes from.`;
      }
      if (this.#platform.isHttpsPage && /^http:/i.test(gateway)) {
        return `The gateway ${gateway} cannot be reached: a page that came by https needs the https URL of its gateway.`;
      }
      return `The gateway ${gateway} cannot be reached (${describe(error)}).`;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Resolves when the gateway has heard of it or seems unreachable. */
  async signOut({ gateway, token }: Login): Promise<void> {
    const limit = new Limit(new AbortController().signal, kSignOutTimeout);
    const url = `${gateway}/sign_out?id=${token}`;
    try {
      await this.#platform.request({ method: 'GET', url, keepalive: true, signal: limit.signal });
    } catch (error) {
      this.#log.notice('The gateway could not be told of the sign-out.', error);
    } finally {
      limit.release();
    }
  }

  #ask(gateway: string, { id, password }: Identity, resume: string | null, signal: AbortSignal): Promise<HttpReply> {
    if (id.includes(':') && password === null) {
      return this.#platform.request({ method: 'GET', url: `${gateway}/sign_in?${queryValue(id)}`, signal });
    }
    const again = resume === null ? '' : `&resume=${resume}`;
    const url = `${gateway}/sign_in?features=${this.#known.join(',')}${again}`;
    return this.#platform.request({ method: 'POST', url, body: `${id}:${password ?? 'undefined'}`, signal });
  }

  /** Resolves only if the gateway gives no sign of life. */
  async #isAbsent(gateway: string, asked: Promise<HttpReply>, signal: AbortSignal): Promise<'absent'> {
    const answered = new AbortController();
    const done = (): void => answered.abort();
    asked.then(done, done);
    signal.addEventListener('abort', done);
    const never = new Promise<never>(() => undefined);
    if (!(await delay(kProbeAfter, answered.signal))) return never;
    return (await isReachable(this.#platform, gateway, answered.signal)) ? never : 'absent';
  }

  async #abandon(
    gateway: string,
    identity: Identity,
    asked: Promise<HttpReply>,
    attempt: AbortController,
    resume: string | null,
  ): Promise<void> {
    const timer = setTimeout(() => attempt.abort(), kLateReplyMax);
    try {
      const login = readReply(gateway, identity, await asked, true);
      // A session that went on is still wanted.
      if (typeof login !== 'string' && login.token !== resume) await this.signOut(login);
    } catch {
      // It came to nothing, which is what we want.
    } finally {
      clearTimeout(timer);
    }
  }
}

function readReply(gateway: string, identity: Identity, reply: HttpReply, hasOthers: boolean): Login | string {
  const reason = reply.text.trim();
  if (reply.status >= 502 && reply.status <= 504 && hasOthers) {
    return `The gateway ${gateway} is not available: ${reason || reply.status}`;
  }
  if (reply.status < 200 || reply.status >= 300) {
    throw new Refusal(reply.status, reason || `The gateway refused the sign-in with status ${reply.status}.`);
  }
  return readLogin(identity, gateway, reply.text);
}
