// One call as the page's side sees it: offers, answers and what follows from them.
//
//      New ── startOffer ──> Offering ── ANSWER ──────────┐        ┌── ANSWER or ERROR ── Reoffering
//       │                                                 ▼        ▼                          ▲
//       └─── startAnswer ──> Answering ── answer sent ─> Established ── change(), INVITE ─────┘
//                                                         ▲        │
//      any state ── close() ──> Closed                    └── Reanswering <── OFFER ──┘
//
// What the page wants of the call (media, hold) is kept as wishes; an offer is made of the wishes of that moment as
// soon as none is under way. So hold and resume in quick succession, or a change during the setup, need no care.
// An OFFER that arrives while ours is being prepared or pending is dropped: the gateway holds its own back until ours
// is settled, then sends it again (signalling, section 4, "Glare").

import type { AttachedPair } from './attached.js';
import type { MediaKind, WantedMedia } from './constraints.js';
import type { EarlyAnswer } from './early.js';
import { IceRepair } from './icerepair.js';
import type { LocalMedia } from './localmedia.js';
import type { Logger } from './log.js';
import { Muting } from './muting.js';
import type { LocalDescription, PeerLink } from './peerlink.js';
import type { Platform } from './platform/platform.js';
import { SerialQueue } from './queue.js';
import { RemoteMedia } from './remotemedia.js';
import { tiebreaker, writeAnswer, writeOffer, writeOk } from './roap.js';
import type { RoapAnswer, RoapError, RoapOffer } from './roap.js';

export type CallState =
  | 'New'
  | 'Offering'
  | 'Answering'
  | 'Established'
  | 'Reoffering'
  | 'Reanswering'
  | 'Closed';

const kMoves: Readonly<Record<CallState, readonly CallState[]>> = {
  New: ['Offering', 'Answering', 'Closed'],
  Offering: ['Established', 'Closed'],
  Answering: ['Established', 'Closed'],
  Established: ['Reoffering', 'Reanswering', 'Closed'],
  Reoffering: ['Established', 'Closed'],
  Reanswering: ['Established', 'Closed'],
  Closed: [],
};

/** What a call tells its session. */
export interface CallListener {
  handleRemoteStream(stream: MediaStream): void;
  handleHold(): void;
  handleIceDisconnected(status: string): void;
  handleNoAnswer(): void;
  /** The browser refused something; the call goes on. */
  handleWebrtcError(error: unknown): void;
  /** The call cannot be set up or go on. The listener closes it. */
  handleFatal(error: unknown): void;
  /** The far end's attached data, as it came. */
  handleAttached(attached: unknown): void;
}

export interface CallEnvironment {
  readonly platform: Platform;
  readonly log: Logger;
  readonly source: LocalMedia;
  readonly makeLink: () => PeerLink;
  readonly noanswerTimeout: number;
  /** Whether each offer in an established call makes a new peer connection. */
  readonly renewsConnection: () => boolean;
  /** What to accept of an offer that comes mid-call; null: what the call has. */
  readonly wantedForReanswer: () => WantedMedia | null;
  /** Resolves once signed in; rejects if that fails. */
  readonly whenSignedIn: () => Promise<void>;
  readonly post: (peer: string, body: string, retryUntil?: AbortSignal) => void;
}

export interface CallOptions {
  readonly peer: string;
  readonly sessionId: number;
  readonly wanted: WantedMedia;
  readonly held: boolean;
  /** The gateway has announced it. */
  readonly isIncoming: boolean;
  readonly attached: () => readonly AttachedPair[] | null;
}

export type CallChange = Partial<WantedMedia> & { held?: boolean };

interface PendingOffer {
  readonly link: PeerLink;
  readonly seq: number;
  readonly restartsIce: boolean;
}

/** What an offer or an answer of ours says. */
type Said = WantedMedia & { readonly held: boolean };

export class Call {
  readonly peer: string;
  readonly #environment: CallEnvironment;
  readonly #listener: CallListener;
  readonly #options: CallOptions;
  readonly #queue = new SerialQueue();
  readonly #closing = new AbortController();
  readonly #remote: RemoteMedia;
  readonly #muting: Muting;
  readonly #ice: IceRepair;
  #state: CallState = 'New';
  #wanted: WantedMedia;
  #held: boolean;
  #offerNeeded = false;
  #restartNeeded = false; // ... only to restart ICE, on the connection there is
  #link: PeerLink | null = null; // the one in use; another may be on its way to take its place
  readonly #links = new Set<PeerLink>();
  #early: EarlyAnswer | null = null;
  #pending: PendingOffer | null = null;
  #seq = 0;
  #noAnswerTimer: ReturnType<typeof setTimeout> | undefined;
  #known: boolean; // the gateway has heard of this call
  #said: Said; // last
  #agreed: Said; // with the far end

  constructor(environment: CallEnvironment, listener: CallListener, options: CallOptions) {
    this.#environment = environment;
    this.#listener = listener;
    this.#options = options;
    this.peer = options.peer;
    this.#wanted = options.wanted;
    this.#held = options.held;
    this.#known = options.isIncoming;
    this.#said = this.#agreed = { ...options.wanted, held: options.held };
    this.#remote = new RemoteMedia(environment.platform, listener);
    this.#muting = new Muting((kind) => this.#tracksOf(kind));
    this.#ice = new IceRepair({
      isQuiet: () => this.#state === 'Established' && !this.#offerNeeded && !this.#restartNeeded,
      iceState: () => this.#link?.iceState ?? null,
      restart: () => this.#restartIce(),
      tell: (status) => listener.handleIceDisconnected(status),
    });
  }

  get state(): CallState {
    return this.#state;
  }

  /** Whether it was established, whatever goes on in it now. */
  get isSetUp(): boolean {
    return this.#state === 'Established' || this.#state === 'Reoffering' || this.#state === 'Reanswering';
  }

  get isIncoming(): boolean {
    return this.#options.isIncoming;
  }

  get isHeldByUs(): boolean {
    return this.#held;
  }

  startOffer(): void {
    this.#go('Offering');
    this.#run(() => this.#offer());
  }

  /** `early` is what was done while it rang. */
  startAnswer(offer: RoapOffer, early: EarlyAnswer | null): void {
    this.#early = early;
    this.#go('Answering');
    this.#run(() => this.#answer(offer, early));
  }

  /** Whether the gateway has heard of it. */
  get isKnown(): boolean {
    return this.#known;
  }

  /** Whether media can come and go now. */
  get isConnected(): boolean {
    const state = this.#link?.iceState;
    return state === 'connected' || state === 'completed';
  }

  /** The page wants the call different. Without a change: a new offer all the same, which also repairs a broken ICE. */
  change(change: CallChange): void {
    // ICE is being restarted already: that is all that this offer could do.
    if (Object.keys(change).length === 0 && this.#pending?.restartsIce === true) return;
    this.#wanted = { audio: change.audio ?? this.#wanted.audio, video: change.video ?? this.#wanted.video };
    this.#held = change.held ?? this.#held;
    this.#offerNeeded = true;
    this.#offerIfNeeded();
  }

  /** The device has got another network. */
  handleNetworkChange(): void {
    if (this.#link !== null) this.#ice.handleNetworkChange();
  }

  handleOffer(offer: RoapOffer): void {
    if (this.#state !== 'Established') {
      this.#environment.log.notice(`An OFFER came while ${this.#state}; the gateway will send it again.`);
      return;
    }
    this.#go('Reanswering');
    this.#run(() => this.#answer(offer, null));
  }

  handleAnswer(answer: RoapAnswer): void {
    const pending = this.#pending;
    if (pending === null || !matches(answer, this.#options.sessionId, pending.seq)) {
      this.#environment.log.info('An ANSWER that answers nothing was ignored.');
      return;
    }
    if (!answer.moreComing) {
      clearTimeout(this.#noAnswerTimer);
      this.#pending = null;
    }
    this.#run(() => this.#takeAnswer(answer, pending.link));
  }

  /** The gateway refused something. A refused change leaves the call as it was; a refused call is ended by BYE. */
  handleError(error: RoapError): void {
    const pending = this.#pending;
    if (this.#state !== 'Reoffering' || pending === null) return;
    // 0 is no offer's: that is about something else, such as data that was refused (docs/errors.md).
    if (error.seq !== null && String(error.seq) !== String(pending.seq)) return;
    this.#run(() => this.#dropOffer());
  }

  /** Mutes or unmutes what we send. */
  enable(kind: MediaKind, enabled: boolean): void {
    this.#muting.enable(kind, enabled);
  }

  /** The local source has changed: send its new tracks. */
  handleSourceChange(afterwards: () => void): void {
    this.#run(async () => {
      await this.#link?.replaceTracks(this.#environment.source);
      this.#muting.keep();
      afterwards();
    });
  }

  /** Whether the call has this medium after the last negotiation, held or not. */
  has(kind: MediaKind): boolean {
    const medium = this.#link?.medium(kind);
    if (medium === undefined || !medium.accepted || this.#agreed[kind] === false) return false;
    return this.#remote.isHeld || medium.currentDirection !== 'inactive';
  }

  dtmf(): RTCDTMFSender | null {
    return this.#link?.dtmf() ?? null;
  }

  /** Ends the call here; with `sendBye` at the gateway too, where it may have been heard of. Harmless twice. */
  close(sendBye: boolean, byeRetryUntil?: AbortSignal): void {
    if (this.#state === 'Closed') return;
    this.#muting.release();
    this.#early?.close();
    this.#ice.close();
    this.#remote.close();
    this.#go('Closed');
    this.#queue.close();
    this.#closing.abort();
    clearTimeout(this.#noAnswerTimer);
    for (const link of this.#links) link.close();
    this.#pending = null;
    this.#link = null;
    if (sendBye && this.#known) this.#environment.post(this.peer, 'BYE', byeRetryUntil);
  }

  #go(next: CallState): void {
    if (!kMoves[this.#state].includes(next)) throw new Error(`A call cannot go from ${this.#state} to ${next}.`);
    this.#environment.log.debug(`Call with ${this.peer}: ${this.#state} -> ${next}.`);
    this.#state = next;
  }

  #run(task: () => Promise<void>): void {
    this.#queue.run(task, (error) => this.#fail(error));
  }

  #fail(error: unknown): void {
    if (this.#state === 'Reoffering') {
      this.#listener.handleWebrtcError(error);
      this.#run(() => this.#dropOffer());
    } else if (this.#state === 'Established') {
      this.#listener.handleWebrtcError(error);
    } else {
      this.#listener.handleFatal(error);
    }
  }

  #restartIce(): void {
    this.#environment.log.notice(`Restarting ICE with ${this.peer}.`);
    this.#restartNeeded = true;
    this.#offerIfNeeded();
  }

  #offerIfNeeded(): void {
    if ((!this.#offerNeeded && !this.#restartNeeded) || this.#state !== 'Established') return;
    this.#go('Reoffering');
    this.#run(() => this.#offer());
  }

  async #offer(): Promise<void> {
    const { platform, source, log } = this.#environment;
    const current = this.#link;
    const renewed = current === null || (this.#offerNeeded && this.#environment.renewsConnection());
    const broken = current !== null && ['disconnected', 'failed'].includes(current.iceState);
    const restartsIce = renewed || broken || this.#restartNeeded;
    this.#offerNeeded = false;
    this.#restartNeeded = false;
    const link = renewed ? this.#makeLink() : current;
    if (renewed) {
      this.#seq = 0;
      link.takeLayout(current?.layout() ?? []);
    }
    this.#pending = { link, seq: this.#seq + 1, restartsIce };
    const { audio, video, held } = (this.#said = { ...this.#wanted, held: this.#held });
    const local = await link.makeOffer({ audio, video }, held, source, restartsIce && !renewed);
    await this.#environment.whenSignedIn();
    if (this.#isOver(link)) return;
    this.#seq += 1;
    log.info(`Sending an OFFER to ${this.peer}${held ? ' (hold)' : ''}.`);
    this.#muting.keep();
    this.#noAnswerTimer = this.#startNoAnswerTimer();
    this.#post(
      writeOffer({
        ...local,
        attached: this.#options.attached(),
        sessionId: this.#options.sessionId,
        seq: this.#seq,
        tiebreaker: tiebreaker(platform.randomBytes(4)),
      }),
    );
  }

  async #takeAnswer(answer: RoapAnswer, link: PeerLink): Promise<void> {
    if (answer.attached !== undefined) this.#listener.handleAttached(answer.attached);
    await link.takeAnswer(descriptionOf(answer), answer.moreComing);
    if (this.#isOver(link)) return;
    for (const other of this.#links) if (other !== link) this.#closeLink(other);
    this.#link = link;
    if (answer.moreComing) {
      this.#remote.updateEarly(link, this.#wanted);
      return;
    }
    this.#post(writeOk(answer, this.#options.attached()));
    this.#settle(link);
  }

  async #answer(offer: RoapOffer, early: EarlyAnswer | null): Promise<void> {
    const reanswer = this.#state === 'Reanswering';
    if (typeof offer.seq === 'number') this.#seq = Math.max(this.#seq, offer.seq);
    if (reanswer && offer.attached !== undefined) this.#listener.handleAttached(offer.attached);
    const begun = early === null ? null : this.#own(await early.take());
    if (this.#state === 'Closed') return;
    const link = begun ?? this.#link ?? this.#makeLink();
    this.#link = link;
    const wanted = (reanswer ? this.#environment.wantedForReanswer() : null) ?? this.#wanted;
    this.#wanted = wanted;
    const { held } = (this.#said = { ...wanted, held: this.#held });
    if (begun === null) await link.takeOffer(descriptionOf(offer));
    const local = await link.makeAnswer(wanted, held, this.#environment.source);
    if (this.#isOver(link)) return;
    this.#muting.keep();
    this.#environment.log.info(`Sending an ANSWER to ${this.peer}.`);
    const attached = this.#options.attached();
    this.#post(writeAnswer({ ...local, attached, to: offer, sessionId: this.#options.sessionId }));
    this.#settle(link);
  }

  /** An offer and an answer have met. */
  #settle(link: PeerLink): void {
    this.#go('Established');
    this.#agreed = this.#said;
    this.#remote.update(link, this.#wanted, this.#held);
    this.#offerIfNeeded();
  }

  async #dropOffer(): Promise<void> {
    this.#pending = null;
    clearTimeout(this.#noAnswerTimer);
    for (const link of this.#links) if (link !== this.#link) this.#closeLink(link);
    await this.#link?.rollBack();
    if (this.#state !== 'Reoffering') return;
    this.#dropWishes();
    this.#go('Established');
    this.#offerIfNeeded();
  }

  /** What was refused is no longer wished for; what the page has asked for since is. */
  #dropWishes(): void {
    const now: Said = { ...this.#wanted, held: this.#held };
    const after = <Name extends keyof Said>(name: Name): Said[Name] =>
      now[name] === this.#said[name] ? this.#agreed[name] : now[name];
    this.#wanted = { audio: after('audio'), video: after('video') };
    this.#held = after('held');
  }

  #makeLink(): PeerLink {
    return this.#own(this.#environment.makeLink());
  }

  #own<T extends PeerLink | null>(link: T): T {
    if (link === null) return link;
    link.onIceState = (state) => this.#handleIceState(link, state);
    this.#links.add(link);
    return link;
  }

  #closeLink(link: PeerLink): void {
    this.#links.delete(link);
    link.close();
  }

  #handleIceState(link: PeerLink, state: RTCIceConnectionState): void {
    this.#environment.log.info(`ICE with ${this.peer}: ${state}.`);
    if (link === this.#link && this.#state !== 'Closed') this.#ice.handleState(state);
  }

  #tracksOf(kind: MediaKind): Set<MediaStreamTrack> {
    const track = this.#environment.source.track(kind);
    return new Set([...(this.#link?.sentTracks(kind) ?? []), ...(track === null ? [] : [track])]);
  }

  #post(body: string): void {
    this.#known = true;
    this.#environment.post(this.peer, body, this.#closing.signal);
  }

  #startNoAnswerTimer(): ReturnType<typeof setTimeout> | undefined {
    const limit = this.#environment.noanswerTimeout;
    return limit > 0 ? setTimeout(() => this.#listener.handleNoAnswer(), limit) : undefined;
  }

  /** The call, or this connection of it, ended while something was awaited. */
  #isOver(link: PeerLink): boolean {
    return this.#state === 'Closed' || link.isClosed;
  }
}

function descriptionOf({ sdp, candidates }: RoapOffer | RoapAnswer): LocalDescription {
  return { sdp, candidates };
}

/** Ids are echoed by the gateway as they came; some say numbers, some strings, some leave one out. */
function matches(answer: RoapAnswer, sessionId: number, seq: number): boolean {
  const same = (given: number | string | null, own: number): boolean => given === null || String(given) === String(own);
  return same(answer.offererSessionId, sessionId) && same(answer.seq, seq);
}
