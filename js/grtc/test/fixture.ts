// A client on the fake platform, signed in if wanted, with everything that its events tell noted down.

import { vi } from 'vitest';
import { Client } from '../src/client.js';
import type { ClientConfiguration } from '../src/configuration.js';
import { GrtcError } from '../src/errors.js';
import { EventHook } from '../src/events.js';
import { MediaSession } from '../src/mediasession.js';
import type { FakeGateway } from '../src/platform/fake/gateway.js';
import { FakePlatform } from '../src/platform/fake/platform.js';
import { sectionsOf, type Direction } from '../src/sdp.js';

export interface RoapJson {
  messageType: string;
  sdp: string;
  Candidates: { candidate: string; sdpMLineIndex: number }[];
  offererSessionId: number;
  answererSessionId: number | null;
  seq: number;
  tiebreaker: number;
  attacheddata?: unknown;
}

export const kGateway = 'http://gw.example:8086';

export class Fixture {
  readonly platform = new FakePlatform();
  readonly client: Client;
  readonly session: MediaSession;
  /** Every event as [name, data], in order. */
  readonly events: [string, unknown][] = [];

  /** `prepare` changes the browser before there is a client. */
  constructor(
    configuration: Partial<ClientConfiguration> = {},
    prepare: (platform: FakePlatform) => void = () => undefined,
  ) {
    prepare(this.platform);
    this.client = new Client({ webrtc_gateway: kGateway, ...configuration }, this.platform);
    this.#note(this.client);
    this.session = this.newSession();
  }

  get gateway(): FakeGateway {
    return this.platform.gateway;
  }

  newSession(): MediaSession {
    const session = new MediaSession(this.client);
    this.#note(session);
    return session;
  }

  #note(source: object): void {
    for (const [name, hook] of Object.entries(source)) {
      if (hook instanceof EventHook) hook.add((data: unknown) => void this.events.push([name, data]));
    }
  }

  names(): string[] {
    return this.events.map(([name]) => name);
  }

  /** The data of the last event of this name. */
  last(name: string): unknown {
    return this.events.filter(([each]) => each === name).at(-1)?.[1];
  }

  count(name: string): number {
    return this.events.filter(([each]) => each === name).length;
  }

  /** `features`: the extensions that the gateway has. */
  async signIn(dn = '1020', features?: string): Promise<this> {
    if (features !== undefined) this.gateway.features = features;
    this.client.register(dn);
    await settle();
    return this;
  }

  async enableMedia(audio = true, video = true): Promise<this> {
    this.client.enableMediaSource(audio, video);
    await settle();
    return this;
  }

  /** The ROAP messages posted, of one type if given. */
  roap(type?: string): RoapJson[] {
    return this.gateway.bodies
      .filter((body) => body.startsWith('RSMP '))
      .map((body) => JSON.parse(body.slice(5)) as RoapJson)
      .filter(({ messageType }) => type === undefined || messageType === type);
  }

  lastOffer(): RoapJson {
    const offer = this.roap('OFFER').at(-1);
    if (offer === undefined) throw new Error('no OFFER was sent');
    return offer;
  }

  /** The gateway answers the last OFFER, by default with what it asks for. */
  async answer(directions?: (Direction | 'refused')[], more: object = {}): Promise<void> {
    const offer = this.lastOffer();
    this.sendRoap('ANSWER', {
      sdp: answerSdp(offer.sdp, directions),
      Candidates: [],
      offererSessionId: offer.offererSessionId,
      answererSessionId: 77,
      seq: offer.seq,
      ...more,
    });
    await settle();
  }

  sendRoap(messageType: string, fields: object, peer: string | null = '1021'): void {
    this.gateway.send(`SDP ${JSON.stringify({ messageType, ...fields })}`, peer);
  }

  /** The gateway's OFFER of these sections. */
  async offer(sections: [string, Direction][], fields: object = {}, peer: string | null = '1021'): Promise<void> {
    this.sendRoap('OFFER', { sdp: offerSdp(sections), Candidates: [], offererSessionId: 5, seq: 1, ...fields }, peer);
    await settle();
  }

  /** Signs in and calls 1021, which answers. */
  async call(audio = true, video = true): Promise<this> {
    await this.signIn();
    return this.callSignedIn(audio, video);
  }

  /** Calls 1021, which answers. */
  async callSignedIn(audio = true, video = true): Promise<this> {
    await this.enableMedia(audio, video);
    this.session.makeOffer('1021', audio, video);
    await pass(20);
    await this.answer();
    return this;
  }

  /** The next peer connection cannot do this. */
  failNext(method: 'createOffer' | 'createAnswer'): void {
    const create = this.platform.createPeerConnection.bind(this.platform);
    vi.spyOn(this.platform, 'createPeerConnection').mockImplementationOnce((configuration) => {
      const connection = create(configuration);
      this.platform.connection.failNext = method;
      return connection;
    });
  }
}

export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

export async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds);
}

export function offerSdp(sections: [string, Direction][]): string {
  const media = sections.map(
    ([kind, direction], index) =>
      `m=${kind} 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:${index}\r\na=${direction}\r\n` +
      `a=candidate:9 1 udp 2130706431 127.0.0.1 40000 typ host\r\n`,
  );
  return `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n${media.join('')}`;
}

const kAnswers: Record<Direction, Direction> = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
};

export function answerSdp(offer: string, directions: (Direction | 'refused')[] = []): string {
  const sections = sectionsOf(offer).map(({ kind, direction }, index): [string, Direction | 'refused'] => [
    kind,
    directions[index] ?? kAnswers[direction],
  ]);
  const text = offerSdp(sections.map(([kind, direction]) => [kind, direction === 'refused' ? 'inactive' : direction]));
  let index = -1;
  return text.replace(/^m=(\w+) 9/gm, (line) => {
    index += 1;
    return sections[index]?.[1] === 'refused' ? line.replace(' 9', ' 0') : line;
  });
}

/** The code that the action throws with, or null. */
export function thrown(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof GrtcError ? error.name : `not a Grtc.Error: ${String(error)}`;
  }
}

export function directions(sdp: string): string[] {
  return sectionsOf(sdp).map(({ kind, direction, live }) => (live ? `${kind} ${direction}` : `${kind} refused`));
}
