// Put into every page before its own scripts: keeps the page's peer connections and measures what arrives on them.
// No page has to help. The microphone's processing is switched off, because it takes a pure tone for noise.
(() => {
  const connections = [];
  const Native = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args);
      this.closing = new Promise((resolve) => (this.tellClosed = resolve));
      connections.push(this);
    }
    close() {
      super.close();
      this.tellClosed();
    }
  };
  const devices = navigator.mediaDevices;
  if (devices) {
    const original = devices.getUserMedia.bind(devices);
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    devices.getUserMedia = (constraints = {}) =>
      original({ ...constraints, audio: constraints.audio ? { ...(constraints.audio === true ? {} : constraints.audio), ...raw } : false });
  }

  // Without a sound device Firefox's AudioContext never starts: there, loudness is read from the statistics alone.
  const kListens = !navigator.userAgent.includes('Firefox');
  let context;
  const meters = new Map(); // track id -> its AnalyserNode and what feeds it

  function meterOf(track) {
    let meter = meters.get(track.id);
    // A track that was held and resumed on the same connection may stay dead for nodes that were made before: make them anew.
    if (meter && meter.quiet && performance.now() - meter.since > 500) {
      meter.source.disconnect();
      meter.element.srcObject = null;
      meter = undefined;
    }
    if (!meter) {
      context ??= new AudioContext();
      const stream = new MediaStream([track]);
      // Chromium decodes a remote track only while an element plays it.
      const element = new Audio();
      element.muted = true;
      element.srcObject = stream;
      element.play().catch(() => {});
      const node = context.createAnalyser();
      node.fftSize = 16384;
      node.smoothingTimeConstant = 0;
      const source = context.createMediaStreamSource(stream);
      source.connect(node);
      meter = { node, element, source, since: performance.now(), quiet: true };
      meters.set(track.id, meter);
    }
    return meter;
  }

  const live = () => connections.filter((connection) => connection.connectionState !== 'closed');
  const receivers = (kind) =>
    live()
      .flatMap((connection) => connection.getReceivers())
      .map((receiver) => receiver.track)
      .filter((track) => track && track.kind === kind && track.readyState === 'live');

  function powerOf(track) {
    const { node } = meterOf(track);
    const decibels = new Float32Array(node.frequencyBinCount);
    node.getFloatFrequencyData(decibels);
    return decibels.map((db) => (Number.isFinite(db) ? 10 ** (db / 10) : 0));
  }

  /** The power around a bin of the spectrum. */
  const around = (power, bin) => power.slice(Math.max(0, bin - 4), bin + 5).reduce((sum, x) => sum + x, 0);

  function toneOf(track) {
    const meter = meterOf(track);
    const { node } = meter;
    const samples = new Float32Array(node.fftSize);
    node.getFloatTimeDomainData(samples);
    const rms = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
    meter.quiet = rms === 0;
    const power = powerOf(track);
    let peak = 1;
    for (let bin = 2; bin < power.length; ++bin) if (power[bin] > power[peak]) peak = bin;
    const total = power.reduce((sum, x) => sum + x, 0);
    let near = 0;
    let weighted = 0;
    for (let bin = Math.max(0, peak - 4); bin <= Math.min(power.length - 1, peak + 4); ++bin) {
      near += power[bin];
      weighted += power[bin] * bin;
    }
    if (!near) return { frequency: 0, share: 0, rms };
    return { frequency: ((weighted / near) * context.sampleRate) / node.fftSize, share: near / total, rms };
  }

  // In Firefox the statistics of a connection that is closed meanwhile never come.
  const statisticsOf = (connection) => Promise.race([connection.getStats(), connection.closing.then(() => new Map())]);

  async function statistics(type, kind) {
    const reports = await Promise.all(live().map(statisticsOf));
    return reports.flatMap((report) => [...report.values()].filter((s) => s.type === type && s.kind === kind).map((s) => ({ ...s, codec: report.get(s.codecId)?.mimeType })));
  }

  window.probe = {
    connections,
    /** What plays on the loudest incoming audio track; nothing where it cannot be listened to. */
    tone: () => {
      if (!kListens) return undefined;
      const tones = receivers('audio').map(toneOf);
      return tones.sort((a, b) => b.rms - a.rms)[0];
    },
    /** Video frames decoded so far, and the codec they came in. */
    video: async () => {
      const incoming = await statistics('inbound-rtp', 'video');
      return { frames: incoming.reduce((sum, s) => sum + (s.framesDecoded ?? 0), 0), codec: incoming.find((s) => s.framesDecoded)?.codec };
    },
    /** Codec of the audio that arrives. */
    audioCodec: async () => (await statistics('inbound-rtp', 'audio')).find((s) => s.packetsReceived)?.codec,
    /** Energy of the sound that has been played so far, in the unit of RTCInboundRtpStreamStats.totalAudioEnergy. */
    energy: async () => (await statistics('inbound-rtp', 'audio')).reduce((sum, s) => sum + (s.totalAudioEnergy ?? 0), 0),
    /** Which share of the power of all incoming audio lies at each of these frequencies. */
    shares: (frequencies) => {
      const powers = receivers('audio').map(powerOf);
      const total = powers.flatMap((power) => [...power]).reduce((sum, x) => sum + x, 0);
      const bin = (frequency) => Math.round((frequency * 16384) / context.sampleRate);
      return frequencies.map((frequency) => powers.reduce((sum, power) => sum + around(power, bin(frequency)), 0) / (total || 1));
    },
    /** Energy and length of the sound that has been played so far. */
    level: async () => {
      const incoming = await statistics('inbound-rtp', 'audio');
      const sum = (name) => incoming.reduce((all, s) => all + (s[name] ?? 0), 0);
      return { energy: sum('totalAudioEnergy'), seconds: sum('totalSamplesDuration') };
    },
    states: () => connections.map((connection) => connection.connectionState),
  };
})();
