// The sounds of the phone, made of oscillators: ringing for a call that comes in, the ringing tone for one that goes
// out.

type Pattern = 'incoming' | 'outgoing';

interface Tone {
  readonly frequencies: readonly number[];
  /** Seconds, as [sound, silence, sound, silence, ...]. */
  readonly rhythm: readonly number[];
  readonly volume: number;
}

const kTones: Record<Pattern, Tone> = {
  incoming: { frequencies: [523.25, 659.25], rhythm: [0.4, 0.2, 0.4, 2], volume: 0.12 },
  outgoing: { frequencies: [425], rhythm: [1, 4], volume: 0.06 },
};

const kFade = 0.02;

export class Ringer {
  #context: AudioContext | null = null;
  #pattern: Pattern | null = null;
  #timer: number | undefined;

  /** Plays this pattern, or nothing. The same pattern again goes on. */
  play(pattern: Pattern | null): void {
    if (pattern === this.#pattern) return;
    window.clearTimeout(this.#timer);
    void this.#context?.close();
    this.#context = null;
    this.#pattern = pattern;
    if (pattern === null) return;
    try {
      this.#context = new AudioContext();
      this.#round(kTones[pattern]);
    } catch {
      this.#context = null; // no sound device: ring silently
    }
  }

  #round({ frequencies, rhythm, volume }: Tone): void {
    const context = this.#context;
    if (context === null) return;
    let at = context.currentTime + kFade;
    rhythm.forEach((duration, index) => {
      if (index % 2 === 0) {
        for (const frequency of frequencies) beep(context, frequency, at, duration, volume / frequencies.length);
      }
      at += duration;
    });
    const total = rhythm.reduce((sum, duration) => sum + duration, 0);
    this.#timer = window.setTimeout(() => this.#round({ frequencies, rhythm, volume }), total * 1000);
  }
}

function beep(context: AudioContext, frequency: number, at: number, duration: number, volume: number): void {
  const oscillator = new OscillatorNode(context, { frequency });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, at);
  gain.gain.linearRampToValueAtTime(volume, at + kFade);
  gain.gain.setValueAtTime(volume, at + duration - kFade);
  gain.gain.linearRampToValueAtTime(0, at + duration);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(at);
  oscillator.stop(at + duration);
}
