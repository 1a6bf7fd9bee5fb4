// The dialling side of the page: number, keypad, quick calls, recent calls.

import { element, icon } from './dom.js';
import type { RecentCall } from './settings.js';

export class Dialler {
  readonly #call: (peer: string, video: boolean) => void;
  readonly #number = element('number', HTMLInputElement);

  constructor(call: (peer: string, video: boolean) => void) {
    this.#call = call;
    element('dial-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#dial(false);
    });
    element('call-video', HTMLButtonElement).addEventListener('click', () => this.#dial(true));
    element('erase', HTMLButtonElement).addEventListener('click', () => {
      this.#change(this.number.slice(0, -1));
      this.#number.focus();
    });
    this.#number.addEventListener('input', () => this.#drawButtons());
    for (const button of document.querySelectorAll<HTMLButtonElement>('#keypad [data-digit]')) {
      button.addEventListener('click', () => this.#change(this.number + (button.dataset['digit'] ?? '')));
    }
    for (const button of document.querySelectorAll<HTMLButtonElement>('[data-quick]')) {
      const video = button.dataset['video'] === 'true';
      button.addEventListener('click', () => call(button.dataset['quick'] ?? '', video));
    }
  }

  get number(): string {
    return this.#number.value.trim();
  }

  set number(number: string) {
    this.#change(number);
  }

  drawRecent(calls: readonly RecentCall[]): void {
    const list = element('recent', HTMLUListElement);
    element('recent-empty', HTMLElement).hidden = calls.length > 0;
    list.replaceChildren(...calls.map((call) => this.#recentItem(call)));
  }

  #dial(video: boolean): void {
    if (this.number === '') this.#number.focus();
    else this.#call(this.number, video);
  }

  #change(number: string): void {
    this.#number.value = number;
    this.#drawButtons();
  }

  #drawButtons(): void {
    const empty = this.number === '';
    element('erase', HTMLButtonElement).hidden = empty;
    element('call-audio', HTMLButtonElement).disabled = empty;
    element('call-video', HTMLButtonElement).disabled = empty;
  }

  #recentItem({ peer, direction, video, answered, at }: RecentCall): HTMLLIElement {
    const kind = direction === 'out' ? 'Outgoing' : answered ? 'Incoming' : 'Missed';
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'recent-call';
    button.dataset['kind'] = kind.toLowerCase();
    button.title = `Call ${peer}`;
    const name = document.createElement('span');
    name.className = 'recent-name';
    name.textContent = peer;
    const detail = document.createElement('span');
    detail.className = 'recent-detail';
    detail.textContent = `${kind}${video ? ', video' : ''} · ${timeText(at)}`;
    button.append(icon(direction === 'out' ? 'out' : 'in'), name, detail);
    button.addEventListener('click', () => this.#call(peer, video));
    const item = document.createElement('li');
    item.append(button);
    return item;
  }
}

function timeText(at: number): string {
  const date = new Date(at);
  const sameDay = date.toDateString() === new Date().toDateString();
  return sameDay
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString([], { day: 'numeric', month: 'short' });
}
