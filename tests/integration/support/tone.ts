// Tones: a WAV file that plays one, and what a recording is found to play.
import { readFileSync, writeFileSync } from 'node:fs';

export interface Tone {
  frequency: number; // Hz, of the strongest component
  share: number; // 0 .. 1, of the energy that lies at that frequency
  rms: number; // 0 .. 1 of full scale, of the whole signal
}

/** A second of a sine, 48 kHz mono; whole periods, so that it can be looped without a click. */
export function writeTone(path: string, frequency: number, amplitude = 0.5): void {
  const rate = 48_000;
  const data = Buffer.alloc(rate * 2);
  for (let i = 0; i < rate; ++i) {
    data.writeInt16LE(Math.round(Math.sin((2 * Math.PI * frequency * i) / rate) * amplitude * 32_767), i * 2);
  }
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20); // PCM
  header.writeUInt16LE(1, 22); // channels
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  writeFileSync(path, Buffer.concat([header, data]));
}

/** What the last half second of the samples plays; nothing if there are fewer. */
export function toneOf(samples: Float32Array, rate: number): Tone | undefined {
  const size = 2 ** Math.floor(Math.log2(rate * 0.55));
  if (samples.length < size) return undefined;
  const last = samples.subarray(samples.length - size);
  const rms = Math.sqrt(last.reduce((sum, x) => sum + x * x, 0) / size);
  const power = spectrum(last);
  let peak = 1;
  for (let bin = 2; bin < power.length; ++bin) if (power[bin]! > power[peak]!) peak = bin;
  const total = power.reduce((sum, x) => sum + x, 0);
  let near = 0;
  let weighted = 0;
  for (let bin = Math.max(0, peak - 3); bin <= Math.min(power.length - 1, peak + 3); ++bin) {
    near += power[bin]!;
    weighted += power[bin]! * bin;
  }
  if (near === 0) return { frequency: 0, share: 0, rms };
  return { frequency: ((weighted / near) * rate) / size, share: near / total, rms };
}

/** Of a file of raw 16-bit samples that may still be growing. */
export function toneOfRaw(path: string, rate: number): Tone | undefined {
  const bytes = readFileSync(path);
  const samples = new Float32Array(Math.floor(bytes.length / 2));
  for (let i = 0; i < samples.length; ++i) samples[i] = bytes.readInt16LE(i * 2) / 32_768;
  return toneOf(samples, rate);
}

/** Is it this tone, clear and loud enough to be heard? */
export function plays(tone: Tone | undefined, frequency: number): boolean {
  return tone !== undefined && Math.abs(tone.frequency - frequency) < 12 && tone.share > 0.6 && tone.rms > 0.02;
}

// Power of each bin under a Hann window; the length is a power of two.
function spectrum(samples: Float32Array): Float64Array {
  const n = samples.length;
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  const bits = Math.log2(n);
  for (let i = 0; i < n; ++i) {
    let reversed = 0;
    for (let bit = 0; bit < bits; ++bit) reversed |= ((i >> bit) & 1) << (bits - 1 - bit);
    re[reversed] = samples[i]! * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));
  }
  for (let span = 1; span < n; span *= 2) {
    for (let k = 0; k < span; ++k) {
      const wr = Math.cos((Math.PI * k) / span);
      const wi = -Math.sin((Math.PI * k) / span);
      for (let i = k; i < n; i += 2 * span) {
        const j = i + span;
        const tr = wr * re[j]! - wi * im[j]!;
        const ti = wr * im[j]! + wi * re[j]!;
        re[j] = re[i]! - tr;
        im[j] = im[i]! - ti;
        re[i] = re[i]! + tr;
        im[i] = im[i]! + ti;
      }
    }
  }
  return Float64Array.from({ length: n / 2 }, (_, bin) => re[bin]! ** 2 + im[bin]! ** 2);
}
