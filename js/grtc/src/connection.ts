// A login at work: receives over a WebSocket where the gateway has one and by hanging GET where not, sends, and counts,
// so that no message is lost or taken twice when one way takes over from the other.
//
// Both ways begin at once, so that a proxy that swallows WebSockets costs no time. Once the WebSocket is open, the
// gateway ends the hanging GET; when the WebSocket ends, the hanging GET is there again at once, and another WebSocket
// is tried after a pause that grows.
//
// Whichever reaches the gateway later takes over. Where that was the hanging GET, it is certainly there now, and the
// next WebSocket, opened at once, takes over from it.

import { numberOf } from './frames.js';
import type { Logger } from './log.js';
import type { Login } from './login.js';
import { Outbox, type PostOptions } from './outbox.js';
import type { Platform } from './platform/platform.js';
import { Poller } from './poller.js';
import { SocketChannel } from './socket.js';

export interface ConnectionListener {
  /** One message; `peer` is whom it concerns. */
  handleMessage(body: string, peer: string | null): void;
  /** A hanging GET failed; it will be made again. */
  handleConnectionError(status: string): void;
  /** The gateway could not be reached, this many times in a row, or says that it stops. */
  handleUnreachable(times: number): void;
  /** The gateway has no such session. `forgotten`: it knows nothing of it, so that this may not be on purpose. Why, if it says. */
  handleGone(forgotten: boolean, reason: string): void;
}

export interface ConnectionOptions {
  readonly known: readonly string[];
  readonly pollingTimeout: number;
  readonly log: Logger;
}

const kSequenceHeader = 'X-Crosspoint-Sequence';
const kSocketPauseMin = 5000;
const kSocketPauseMax = 600_000;
/** A WebSocket that lasted this long was worth it: the next one is tried soon. */
const kSocketProof = 60_000;
/** Why the gateway closes a WebSocket (docs/protocols/signalling.md, section 3.4). */
const kSignedOut = 1000;
const kStopping = 1001;
const kTakenOver = 4409;
const kNoSession = 4404;
const kElsewhere = 4410;
/** A login this old has worked, unless it is of no use at all. */
const kNewMax = 3000;
/** So often in a row a hanging GET may overtake its WebSocket before that one is opened with a pause again. */
const kOvertakenMax = 3;
/** A hanging GET that ends with nothing while a WebSocket is being opened: that one has reached the gateway, we hear of it soon. */
const kOpeningPause = 1000;

export class Connection {
  readonly login: Login;
  readonly #platform: Platform;
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #poller: Poller;
  readonly #outbox: Outbox;
  #socket: SocketChannel | null = null;
  #socketTimer: ReturnType<typeof setTimeout> | undefined;
  #socketPause = kSocketPauseMin;
  #overtaken = 0;
  #unreachable = 0;
  #worked = false;
  readonly #madeAt = Date.now();

  constructor(platform: Platform, login: Login, options: ConnectionOptions, listener: ConnectionListener) {
    this.#platform = platform;
    this.login = login;
    this.#options = options;
    this.#listener = listener;
    this.#outbox = new Outbox(platform, login, options.log, () => this.#socket);
    this.#poller = new Poller(platform, login, options, {
      handleReply: ({ text, header }) => {
        this.#worked = true;
        this.#proveReachable();
        this.#take(numberOf(header(kSequenceHeader)), header('Pragma'), text);
        return text === '' && this.#socket?.isOpen === false ? kOpeningPause : 0;
      },
      handleFailure: (status, unreachable) => this.#handleFailure(status, unreachable),
      handleGone: (unknown, reason) => this.#handleGone(unknown, reason),
    });
  }

  /** Begins to receive, or begins anew: what is under way may hang on a network that is no more. */
  start(): void {
    this.stop();
    this.#socketPause = kSocketPauseMin;
    this.#overtaken = 0;
    this.#poller.start();
    this.#openSocket();
  }

  /** Stops to receive. What is being sent goes on. */
  stop(): void {
    clearTimeout(this.#socketTimer);
    this.#poller.stop();
    this.#socket?.close();
    this.#socket = null;
  }

  post(peer: string, body: string, options?: PostOptions): Promise<boolean> {
    return this.#outbox.post(peer, body, options);
  }

  #openSocket(): void {
    if (!this.login.features.has('websocket') || !this.login.features.has('ack')) return;
    const { known, pollingTimeout, log } = this.#options;
    let openedAt = 0;
    const socket = new SocketChannel(
      this.#platform,
      this.login,
      { known, silenceMax: pollingTimeout },
      {
        handleOpen: () => {
          openedAt = Date.now();
          this.#worked = true;
          log.debug('The WebSocket is open.');
          this.#poller.finish();
        },
        handleMessage: (sequence, peer, body) => {
          this.#proveReachable();
          this.#take(sequence, peer, body);
          socket.acknowledge(this.login.lastTaken);
        },
        handleClosed: (code) => this.#handleSocketClosed(code, openedAt),
      },
    );
    this.#socket = socket;
  }

  #handleSocketClosed(code: number, openedAt: number): void {
    this.#options.log.debug(`The WebSocket ended with code ${code}.`);
    this.#socket = null;
    if (code === kSignedOut || code === kNoSession || code === kElsewhere) {
      this.stop();
      this.#handleGone(code === kNoSession, code === kElsewhere ? 'The DN has signed in elsewhere' : '');
      return;
    }
    const lasted = openedAt > 0 && Date.now() - openedAt > kSocketProof;
    if (lasted) {
      this.#socketPause = kSocketPauseMin;
      this.#overtaken = 0;
    }
    if (code === kTakenOver && this.#poller.isAsking && (this.#overtaken += 1) <= kOvertakenMax) {
      this.#poller.goOn();
      this.#openSocket();
      return;
    }
    if (openedAt > 0) this.login.troubled = true;
    this.#socketTimer = setTimeout(() => this.#openSocket(), this.#socketPause);
    this.#socketPause = Math.min(kSocketPauseMax, this.#socketPause * 2);
    if (!this.#poller.isRunning) this.#poller.start();
    if (code === kStopping) this.#listener.handleUnreachable(Number.POSITIVE_INFINITY);
  }

  #handleFailure(status: string, unreachable: boolean): void {
    this.login.troubled = true;
    this.#unreachable = unreachable ? this.#unreachable + 1 : 0;
    const times = this.#unreachable;
    this.#listener.handleConnectionError(status);
    if (times > 0 && this.#poller.isRunning) this.#listener.handleUnreachable(times);
  }

  /**
   * A gateway that knows nothing of a session that has worked was started anew, or a load balancer has brought us to another
   * one. If it has never worked, signing in again is of no use: it would go on for ever.
   */
  #handleGone(unknown: boolean, reason: string): void {
    const forgotten = unknown && (this.login.troubled || this.#worked || Date.now() - this.#madeAt > kNewMax);
    this.stop();
    this.#listener.handleGone(forgotten, reason);
  }

  #proveReachable(): void {
    this.login.troubled = false;
    this.#unreachable = 0;
  }

  #take(sequence: number | null, peer: string | null, body: string): void {
    if (body === '') return;
    const { log } = this.#options;
    if (sequence !== null && this.login.features.has('ack')) {
      if (sequence <= this.login.lastTaken) {
        log.debug(`Message ${sequence} came again; ignored.`);
        return;
      }
      this.login.lastTaken = sequence;
    }
    log.debug(`From the gateway (${peer ?? 'no peer'}): ${body}`);
    try {
      this.#listener.handleMessage(body, peer);
    } catch (error) {
      log.error('A message could not be handled.', error);
    }
  }
}
