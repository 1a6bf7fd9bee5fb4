// The parts that need no gateway: errors, events, configuration, constraints, statics.

import { describe, expect, it, vi } from 'vitest';
import { readConfiguration, gatewaysOf, iceServersOf } from '../src/configuration.js';
import { directionFor, mediaConstraint, sourceConstraint } from '../src/constraints.js';
import { EventHook } from '../src/events.js';
import * as Grtc from '../src/index.js';
import { Logger } from '../src/log.js';
import { thrown } from './fixture.js';

const kMinimal = { webrtc_gateway: 'http://gw.example:8086' };

describe('Grtc', () => {
  it('has five log levels in ascending order', () => {
    const levels = [
      Grtc.LOG_LEVEL_NONE,
      Grtc.LOG_LEVEL_ERROR,
      Grtc.LOG_LEVEL_NOTICE,
      Grtc.LOG_LEVEL_INFO,
      Grtc.LOG_LEVEL_DEBUG,
    ];
    expect([...levels].sort((a, b) => a - b)).toEqual(levels);
    expect(new Set(levels).size).toBe(5);
  });

  it('has eight error codes, in the order of the table, whose names are strings', () => {
    const names = [
      Grtc.CONFIGURATION_ERROR,
      Grtc.CONNECTION_ERROR,
      Grtc.WEBRTC_NOT_SUPPORTED_ERROR,
      Grtc.INVALID_STATE_ERROR,
      Grtc.NOT_READY_ERROR,
      Grtc.GRTC_ERROR,
      Grtc.GRTC_WARN,
      Grtc.WEBRTC_ERROR,
    ] as const;
    expect(names.map((name) => new Grtc.Error(name, 'why').code)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const error = new Grtc.Error(Grtc.NOT_READY_ERROR, 'some message');
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.message]).toEqual(['NOT_READY_ERROR', 'some message']);
    expect(new Grtc.Error(Grtc.GRTC_WARN).message).toBe('');
  });

  it('says whether WebRTC is there by both spellings', () => {
    expect(Grtc.isWebrtcSupported()).toBe(false); // Node is no browser
    expect(Grtc.isWebRTCSupported()).toBe(false);
    expect(typeof Grtc.getWebrtcDetectedBrowser()).toBe('string');
    expect(typeof Grtc.getWebrtcDetectedVersion()).toBe('string');
  });

  it('makes a client from the minimal configuration and refuses a MediaSession without one', () => {
    const client = new Grtc.Client(kMinimal);
    expect(client.configuration.dtls_srtp).toBe(true);
    expect(new Grtc.MediaSession(client).isEstablished()).toBe(false);
    expect(thrown(() => new Grtc.MediaSession({} as Grtc.Client))).toBe(Grtc.GRTC_ERROR);
    expect(thrown(() => new Grtc.MediaSession(null as unknown as Grtc.Client))).toBe(Grtc.GRTC_ERROR);
  });
});

describe('EventHook', () => {
  const make = (report = vi.fn()): { hook: EventHook<number>; report: ReturnType<typeof vi.fn> } => ({
    hook: new EventHook<number>(report),
    report,
  });

  it('runs handlers in the order of adding, each once however often added', () => {
    const { hook } = make();
    const order: string[] = [];
    const first = (): void => void order.push('first');
    hook.add(first).add(() => void order.push('second'));
    hook.add(first);
    hook.fire(1);
    expect(order).toEqual(['first', 'second']);
  });

  it('stops after a handler that returns false, and only false', () => {
    const { hook } = make();
    const last = vi.fn();
    hook.add(() => undefined, [() => 0, () => false, last]);
    hook.fire(1);
    expect(last).not.toHaveBeenCalled();
  });

  it('goes on after a handler that throws, and reports it', () => {
    const { hook, report } = make();
    const next = vi.fn();
    hook.add(() => {
      throw new Error('page bug');
    }, next);
    hook.fire(7);
    expect(next).toHaveBeenCalledWith(7);
    expect(report).toHaveBeenCalledOnce();
  });

  it('lets handlers be removed, also while running, and ignores what is no function', () => {
    const { hook } = make();
    const second = vi.fn();
    hook.add(() => void hook.remove(second), second, 'nonsense' as unknown as () => void);
    hook.fire(1);
    expect(second).not.toHaveBeenCalled();
    expect(hook.has(second)).toBe(false);
    expect(hook.has()).toBe(true);
    expect(hook.empty().has()).toBe(false);
  });
});

describe('The configuration', () => {
  it('has the documented defaults', () => {
    expect(readConfiguration(kMinimal)).toEqual({
      webrtc_gateway: 'http://gw.example:8086',
      stun_server: '',
      turn_server: '',
      turn_username: '',
      turn_password: '',
      sip_username: '',
      sip_password: '',
      dtls_srtp: true,
      noanswer_timeout: 60000,
      ice_timeout: 3000,
      ice_optimization: false,
      polling_timeout: 30000,
    });
  });

  it.each([
    ['nothing at all', undefined],
    ['null', null],
    ['a string', 'http://gw'],
    ['no gateway', {}],
    ['an empty gateway', { webrtc_gateway: ' ' }],
    ['a gateway without scheme', { webrtc_gateway: 'gw.example:8086' }],
    ['a gateway of another scheme', { webrtc_gateway: 'ws://gw.example' }],
    ['one bad gateway of two', { webrtc_gateway: 'http://a:1,nonsense' }],
    ['a gateway that is an object', { webrtc_gateway: {} }],
    ['a bad STUN server', { ...kMinimal, stun_server: 'stun server' }],
    ['a STUN port that is none', { ...kMinimal, stun_server: 'stun.example:port' }],
    ['a TURN server without credentials', { ...kMinimal, turn_server: 'turn.example:443' }],
    [
      'a TURN transport that is none',
      { ...kMinimal, turn_server: 't:1?transport=x', turn_username: 'u', turn_password: 'p' },
    ],
    ['a timeout that is no number', { ...kMinimal, ice_timeout: 'soon' }],
    ['a negative timeout', { ...kMinimal, noanswer_timeout: -1 }],
    ['a flag that is none', { ...kMinimal, dtls_srtp: 'maybe' }],
  ])('refuses %s with CONFIGURATION_ERROR', (_, configuration) => {
    expect(thrown(() => readConfiguration(configuration))).toBe(Grtc.CONFIGURATION_ERROR);
  });

  it('takes empty strings, null and undefined as not given, and numbers as strings', () => {
    const configuration = readConfiguration({
      ...kMinimal,
      stun_server: '',
      turn_server: null,
      turn_username: undefined,
      noanswer_timeout: '',
      ice_timeout: '4000',
      sip_username: 1020,
      dtls_srtp: 'false',
    });
    expect(configuration).toMatchObject({
      noanswer_timeout: 60000,
      ice_timeout: 4000,
      sip_username: '1020',
      dtls_srtp: false,
    });
    expect(iceServersOf(configuration)).toEqual([]);
  });

  it('raises what is below a minimum to it', () => {
    expect(readConfiguration({ ...kMinimal, ice_timeout: 10, polling_timeout: 500 })).toMatchObject({
      ice_timeout: 1000,
      polling_timeout: 10000,
    });
    expect(readConfiguration({ ...kMinimal, polling_timeout: 0 }).polling_timeout).toBe(0);
  });

  it('splits lists of gateways, STUN and TURN servers', () => {
    const configuration = readConfiguration({
      webrtc_gateway: 'http://a.example:8080/path/, https://b.example',
      stun_server: 'stun1.example:3478, stun:stun2.example',
      turn_server: 'turn.example:443,turn.example:443?transport=tcp',
      turn_username: 'user',
      turn_password: ' secret ',
    });
    expect(gatewaysOf(configuration)).toEqual(['http://a.example:8080/path', 'https://b.example']);
    expect(iceServersOf(configuration)).toEqual([
      { urls: ['stun:stun1.example:3478', 'stun:stun2.example'] },
      {
        urls: ['turn:turn.example:443', 'turn:turn.example:443?transport=tcp'],
        username: 'user',
        credential: ' secret ',
      },
    ]);
  });
});

describe('Constraints', () => {
  it('default to true and pass those of today through', () => {
    expect(sourceConstraint(undefined)).toBe(true);
    expect(sourceConstraint(null)).toBe(true);
    expect(sourceConstraint(false)).toBe(false);
    const words = ['', 'true', 'false', 1] as unknown as boolean[];
    expect(words.map(sourceConstraint)).toEqual([true, true, false, true]);
    expect(['true', 'false', '', {}, null].map(mediaConstraint)).toEqual([true, false, undefined, undefined, undefined]);
    expect(sourceConstraint({ width: { ideal: 1280 } })).toEqual({ width: { ideal: 1280 } });
  });

  it('translate those of long ago', () => {
    expect(
      sourceConstraint({
        mandatory: { minWidth: 360, maxWidth: 1280, maxFrameRate: 15, sourceId: 'cam', googEchoCancellation: false },
        optional: [{ minHeight: 240 }, { facingMode: 'user' }],
      }),
    ).toEqual({
      width: { min: 360, max: 1280 },
      frameRate: { max: 15 },
      deviceId: { exact: 'cam' },
      echoCancellation: { exact: false },
      height: { ideal: 240 },
      facingMode: { ideal: 'user' },
    });
  });

  it.each([
    [true, true, 'sendrecv'],
    [true, false, 'recvonly'],
    [false, true, null],
    ['sendonly', true, 'sendonly'],
    ['sendonly', false, null],
    ['recvonly', true, 'recvonly'],
  ] as const)('%s with source %s gives %s', (wanted, source, direction) => {
    expect(directionFor(wanted, source)).toBe(direction);
  });
});

describe('Logger', () => {
  it('writes lines up to its level, INFO at first, with the exception after the message', () => {
    const lines: string[] = [];
    const log = new Logger((_, line) => void lines.push(line));
    log.debug('hidden');
    log.info('shown', new TypeError('bad'));
    log.level = Grtc.LOG_LEVEL_ERROR;
    log.notice('hidden');
    log.error('too bad');
    log.level = Grtc.LOG_LEVEL_NONE;
    log.error('hidden');
    expect(lines).toEqual(['shown TypeError: bad', 'too bad']);
  });
});
