// The real browser. webrtc-adapter evens out what browsers still do differently.

import adapter from 'webrtc-adapter';
import { LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, type LogLevel } from '../log.js';
import type { HttpReply, HttpRequest, Platform } from './platform.js';

/** Clients say this although bodies are raw text: a request of this type needs no CORS preflight. */
const kContentType = 'application/x-www-form-urlencoded; charset=UTF-8';

async function request({ method, url, body, keepalive, signal }: HttpRequest): Promise<HttpReply> {
  const reply = await fetch(url, {
    method,
    credentials: 'include',
    cache: 'no-store',
    keepalive: keepalive === true,
    ...(body === undefined ? {} : { body, headers: { 'Content-Type': kContentType } }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await reply.text();
  return { status: reply.status, text, header: (name) => reply.headers.get(name) };
}

function log(level: LogLevel, line: string): void {
  const text = `${new Date().toISOString()} grtc: ${line}`;
  if (level === LOG_LEVEL_ERROR) console.error(text);
  else if (level === LOG_LEVEL_NOTICE) console.warn(text);
  else if (level === LOG_LEVEL_INFO) console.info(text);
  else console.debug(text);
}

export const browserPlatform: Platform = {
  isWebrtcSupported: () =>
    typeof RTCPeerConnection === 'function' && typeof navigator.mediaDevices?.getUserMedia === 'function',
  browserName: () => adapter.browserDetails.browser,
  browserVersion: () => String(adapter.browserDetails.version ?? ''),
  request,
  createPeerConnection: (configuration) => new RTCPeerConnection(configuration),
  getUserMedia: (constraints) => navigator.mediaDevices.getUserMedia(constraints),
  createStream: (tracks) => new MediaStream(tracks),
  asMediaElement: (view) => (view instanceof HTMLMediaElement ? view : null),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  log,
};
