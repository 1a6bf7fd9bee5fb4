// Draws the phone's state into index.html and turns what the user does into calls of the phone.

import { Dialler } from './dialler.js';
import { element, show, testId } from './dom.js';
import type { Phone } from './phone.js';
import type { CallView, PhoneState } from './state.js';

const kNoticeTime = 8000;

export class View {
  readonly #phone: Phone;
  readonly #dialler: Dialler;
  readonly #title = document.title;
  #state: PhoneState | null = null;
  #noticeTimer: number | undefined;
  #statsShown = false;
  #digitsShown = false;
  #transferShown = false;

  constructor(phone: Phone) {
    this.#phone = phone;
    this.#dialler = new Dialler((peer, video) => phone.call(peer, video));
    this.#listen();
    window.setInterval(() => this.#drawTimer(), 500);
  }

  /** Fills in what is known before anything has happened. */
  prepare(name: string, number: string): void {
    element('dn', HTMLInputElement).value = name;
    this.#dialler.number = number;
  }

  showUnsupported(): void {
    show('unsupported', true);
    for (const id of ['sign-in-button', 'anonymous']) element(id, HTMLButtonElement).disabled = true;
  }

  draw(state: PhoneState): void {
    const before = this.#state;
    this.#state = state;
    document.body.dataset['account'] = state.account.phase;
    document.body.dataset['call'] = state.call?.phase ?? 'none';
    this.#drawAccount(state);
    this.#drawIncoming(state, before);
    this.#drawCall(state, before);
    this.#drawNotice(state, before);
    if (state.recent !== before?.recent) this.#dialler.drawRecent(state.recent);
    const who = state.incoming?.peer ?? state.call?.peer;
    document.title = who === undefined ? this.#title : `${state.incoming === null ? '' : '● '}${who} – ${this.#title}`;
  }

  #listen(): void {
    const phone = this.#phone;
    element('sign-in-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const name = element('dn', HTMLInputElement).value.trim();
      if (name === '') element('dn', HTMLInputElement).focus();
      else phone.signIn(name, element('password', HTMLInputElement).value);
    });
    this.#on('anonymous', () => phone.signInAnonymously());
    this.#on('sign-out', () => phone.signOut());
    this.#on('accept-audio', () => phone.accept(false));
    this.#on('accept-video', () => phone.accept(true));
    this.#on('reject', () => phone.reject());
    this.#on('hang-up', () => phone.hangUp());
    this.#on('mute', () => phone.toggleMute());
    this.#on('camera', () => phone.toggleCamera());
    this.#on('hold', () => phone.toggleHold());
    this.#on('digits-toggle', () => this.#showDigits(!this.#digitsShown));
    this.#on('stats-toggle', () => this.#showStats(!this.#statsShown));
    this.#on('transfer-toggle', () => this.#showTransfer(!this.#transferShown));
    element('transfer', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      const to = element('transfer-to', HTMLInputElement).value.trim();
      if (to === '') return;
      this.#showTransfer(false);
      phone.transfer(to);
    });
    this.#on('notice-close', () => phone.dismissNotice());
    for (const button of document.querySelectorAll<HTMLButtonElement>('#digits [data-digit]')) {
      button.addEventListener('click', () => this.#sendDigit(button.dataset['digit'] ?? ''));
    }
    document.addEventListener('keydown', (event) => this.#handleKey(event));
  }

  #on(id: string, action: () => void): void {
    element(id, HTMLButtonElement).addEventListener('click', action);
  }

  /** Digits typed during a call are sent; Escape closes what lies on top. */
  #handleKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      this.#showDigits(false);
      this.#showStats(false);
      this.#showTransfer(false);
    } else if (event.target instanceof HTMLInputElement) {
      return; // these digits are part of a number
    } else if (this.#state?.call?.phase === 'active' && /^[0-9*#]$/.test(event.key)) {
      this.#showDigits(true);
      this.#sendDigit(event.key);
    }
  }

  #sendDigit(digit: string): void {
    this.#phone.sendDigit(digit);
    const sent = element('digits-sent', HTMLElement);
    sent.textContent = `${sent.textContent ?? ''}${digit}`.slice(-20);
  }

  #showDigits(shown: boolean): void {
    this.#digitsShown = shown;
    show('digits', shown);
    element('digits-toggle', HTMLButtonElement).setAttribute('aria-expanded', String(shown));
    if (!shown) element('digits-sent', HTMLElement).textContent = '';
  }

  #showTransfer(shown: boolean): void {
    if (shown === this.#transferShown) return;
    this.#transferShown = shown;
    show('transfer', shown);
    element('transfer-toggle', HTMLButtonElement).setAttribute('aria-expanded', String(shown));
    const input = element('transfer-to', HTMLInputElement);
    input.value = '';
    if (shown) input.focus();
  }

  #showStats(shown: boolean): void {
    if (shown === this.#statsShown) return;
    this.#statsShown = shown;
    show('stats', shown);
    element('stats-toggle', HTMLButtonElement).setAttribute('aria-expanded', String(shown));
    this.#phone.showStats(shown);
  }

  #drawAccount({ account, connectionLost }: PhoneState): void {
    const signedIn = account.phase === 'in';
    show('sign-in', !signedIn);
    show('account', signedIn);
    show('desk', signedIn);
    const button = element('sign-in-button', HTMLButtonElement);
    const busy = account.phase === 'signingIn';
    button.disabled = busy;
    button.textContent = busy ? 'Signing in…' : 'Sign in';
    element('anonymous', HTMLButtonElement).disabled = busy;
    const error = account.phase === 'out' ? account.error : '';
    show('sign-in-error', error !== '');
    element('sign-in-error', HTMLElement).textContent = error;
    if (signedIn) {
      element('account-name', HTMLElement).textContent = account.anonymous ? 'Guest' : account.name;
      element('connection', HTMLElement).dataset['lost'] = String(connectionLost);
      const text = connectionLost ? 'Connection lost, trying again' : 'Connected';
      element('connection-text', HTMLElement).textContent = text;
    }
  }

  #drawIncoming({ incoming }: PhoneState, before: PhoneState | null): void {
    show('incoming', incoming !== null);
    if (incoming === null) return;
    element('incoming-peer', HTMLElement).textContent = incoming.peer;
    // Whoever is typing must not accept a call with the next Enter.
    const typing = document.activeElement instanceof HTMLInputElement;
    if (!typing && !before?.incoming) element('accept-audio', HTMLButtonElement).focus();
  }

  #drawCall(state: PhoneState, before: PhoneState | null): void {
    const { call } = state;
    show('call', call !== null);
    show('home', call === null);
    attach('remote-video', state.remoteStream, before?.remoteStream ?? null);
    attach('local-video', state.localStream, before?.localStream ?? null);
    if (call === null) {
      this.#showDigits(false);
      this.#showStats(false);
      this.#showTransfer(false);
      return;
    }
    const stage = element('call', HTMLElement);
    stage.dataset['phase'] = call.phase;
    stage.dataset['hold'] = call.hold;
    stage.dataset['remoteVideo'] = String(call.remoteVideo && call.hold === 'none');
    stage.dataset['localVideo'] = String(call.video && call.cameraOn && state.localStream !== null);
    element('call-peer', HTMLElement).textContent = nameOf(call.peer);
    element('avatar', HTMLElement).textContent = initialOf(call.peer);
    element('call-status', HTMLElement).textContent = statusOf(call);
    this.#drawTimer();
    const running = call.phase !== 'starting';
    toggle('mute', call.muted, running, call.muted ? 'Unmute' : 'Mute');
    toggle('camera', call.video && call.cameraOn, call.phase === 'active', 'Camera');
    toggle('hold', call.hold === 'ours', call.phase === 'active', call.hold === 'ours' ? 'Resume' : 'Hold');
    element('digits-toggle', HTMLButtonElement).disabled = call.phase !== 'active';
    element('transfer-toggle', HTMLButtonElement).disabled = call.phase !== 'active' || call.transferring;
    element('stats-toggle', HTMLButtonElement).disabled = call.phase !== 'active';
    for (const [name, value] of Object.entries(state.stats ?? {})) testId(`stats-${name}`).textContent = value;
  }

  #drawTimer(): void {
    const since = this.#state?.call?.activeSince ?? null;
    const timer = element('call-timer', HTMLElement);
    timer.hidden = since === null;
    if (since !== null) timer.textContent = durationText(Date.now() - since);
  }

  #drawNotice({ notice }: PhoneState, before: PhoneState | null): void {
    if (before !== null && notice === before.notice) return;
    show('notice', notice !== null);
    window.clearTimeout(this.#noticeTimer);
    if (notice === null) return;
    element('notice', HTMLElement).dataset['kind'] = notice.kind;
    element('notice-text', HTMLElement).textContent = notice.text;
    this.#noticeTimer = window.setTimeout(() => this.#phone.dismissNotice(), kNoticeTime);
  }
}

function attach(id: string, stream: MediaStream | null, before: MediaStream | null): void {
  const video = element(id, HTMLVideoElement);
  if (stream === before && video.srcObject === stream) return;
  video.srcObject = stream;
  if (stream !== null) void video.play().catch(() => undefined); // the browser plays it once the user has clicked
}

/** A button that is on or off. */
function toggle(id: string, on: boolean, enabled: boolean, label: string): void {
  const button = element(id, HTMLButtonElement);
  button.setAttribute('aria-pressed', String(on));
  button.disabled = !enabled;
  const text = button.querySelector('.label');
  if (text !== null) text.textContent = label;
}

function nameOf(peer: string): string {
  if (peer === 'self') return 'Loopback';
  return peer === 'echo' ? 'Echo test' : peer;
}

function initialOf(peer: string): string {
  return /^[0-9+*#]+$/.test(peer) ? peer.slice(-2) : nameOf(peer).slice(0, 1).toUpperCase();
}

function statusOf(call: CallView): string {
  if (call.reconnecting) return 'Connection lost, reconnecting…';
  switch (call.phase) {
    case 'starting':
      return 'Waiting for your microphone…';
    case 'dialling':
      return call.direction === 'in' ? 'Connecting…' : 'Calling…';
    case 'ringing':
      return 'Ringing…';
    case 'active':
      if (call.transferring) return 'Transferring…';
      if (call.hold === 'ours') return 'On hold';
      return call.hold === 'theirs' ? 'You have been put on hold' : 'In call';
  }
}

function durationText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}
