// The real browser. What grtc uses of it, the browsers of the last years do alike; they need no shims.

import { LOG_LEVEL_ERROR, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, type LogLevel } from '../log.js';
import { detectBrowser } from './detect.js';
import type { HttpReply, HttpRequest, Platform, Socket, SocketHandlers } from './platform.js';

/** Clients say this although bodies are raw text: a request of this type needs no CORS preflight. */
const kContentType = 'application/x-www-form-urlencoded; charset=UTF-8';

async function request({ method, url, body, keepalive, signal, probe }: HttpRequest): Promise<HttpReply> {
  const reply = await fetch(url, {
    method,
    ...(probe === true ? { mode: 'no-cors' } : { credentials: 'include' }),
    cache: 'no-store',
    keepalive: keepalive === true,
    ...(body === undefined ? {} : { body, headers: { 'Content-Type': kContentType } }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await reply.text();
  return { status: reply.status, text, header: (name) => reply.headers.get(name) };
}

function openSocket(url: string, { handleOpen, handleText, handleClose }: SocketHandlers): Socket | null {
  if (typeof WebSocket !== 'function') return null;
  let socket: WebSocket;
  try {
    socket = new WebSocket(url.replace(/^http/, 'ws'));
  } catch {
    return null; // the page's security policy forbids it
  }
  const handlers = new AbortController();
  const { signal } = handlers;
  socket.addEventListener('open', () => handleOpen(), { signal });
  socket.addEventListener('message', ({ data }) => handleText(String(data)), { signal });
  socket.addEventListener('close', ({ code }) => handleClose(code), { signal });
  return {
    send: (text) => socket.send(text),
    close: () => {
      handlers.abort();
      socket.close();
    },
  };
}

/** What only some browsers have: the kind of network, and word of its change. */
interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

function onNetworkChange(callback: () => void): () => void {
  const ending = new AbortController();
  const { signal } = ending;
  if (typeof window === 'undefined') return () => undefined; // a page that is rendered on a server first
  window.addEventListener('online', callback, { signal });
  const { connection } = navigator as { connection?: NetworkInformation };
  let type = connection?.type;
  // The event comes with every new estimate of the bandwidth too: only another kind of network counts.
  const compare = (): void => {
    if (connection?.type === type) return;
    type = connection?.type;
    if (type !== 'none') callback();
  };
  connection?.addEventListener?.('change', compare, { signal });
  return () => ending.abort();
}

/** A page that is only put aside ("persisted") may come back. */
function onPageEnd(callback: () => void): () => void {
  if (typeof window === 'undefined') return () => undefined;
  const ending = new AbortController();
  const { signal } = ending;
  window.addEventListener('pagehide', ({ persisted }) => void (persisted || callback()), { signal });
  return () => ending.abort();
}

function log(level: LogLevel, line: string): void {
  const text = `${new Date().toISOString()} grtc: ${line}`;
  if (level === LOG_LEVEL_ERROR) console.error(text);
  else if (level === LOG_LEVEL_NOTICE) console.warn(text);
  else if (level === LOG_LEVEL_INFO) console.info(text);
  else console.debug(text);
}

/** Also of another window of the page, whose HTMLMediaElement is another class. */
function isMediaElement(view: unknown): view is HTMLMediaElement {
  if (typeof view !== 'object' || view === null) return false;
  const { nodeName } = view as Partial<Node>;
  return (nodeName === 'VIDEO' || nodeName === 'AUDIO') && 'srcObject' in view && 'play' in view;
}

const kBrowser = detectBrowser(typeof navigator === 'undefined' ? undefined : navigator);

export const browserPlatform: Platform = {
  isWebrtcSupported: () =>
    typeof RTCPeerConnection === 'function' && typeof navigator.mediaDevices?.getUserMedia === 'function',
  browserName: () => kBrowser.name,
  browserVersion: () => kBrowser.version,
  request,
  openSocket,
  onNetworkChange,
  onPageEnd,
  isHttpsPage: typeof location !== 'undefined' && location.protocol === 'https:',
  takesProvisionalAnswers: kBrowser.name !== 'firefox',
  createPeerConnection: (configuration) => new RTCPeerConnection(configuration),
  getUserMedia: (constraints) => navigator.mediaDevices.getUserMedia(constraints),
  createStream: (tracks) => new MediaStream(tracks),
  asMediaElement: (view) => (isMediaElement(view) ? view : null),
  randomBytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  log,
};
