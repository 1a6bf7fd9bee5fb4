// One call of the client in the field: a peer connection, and ROAP in its dialect (§5, §6).
'use strict';

class FieldSession {
  constructor(client) {
    this.client = client;
    client.sessions += 1;
    client.latestSession = this;
    this.id = client.isOld ? String(client.sessions) : client.sessions;
    this.peer = null;
    this.state = 'idle'; // idle, preparing, offered, answering, established
    this.pc = null;
    this.seq = 0;
    this.held = false;
    this.offer = null; // that waits for its ANSWER
  }

  // ---- What a page calls

  makeOffer(peer, audio = true, video = true) {
    this.begin(peer);
    this.media = { audio, video };
    return this.sendOffer(false);
  }

  acceptCall(audio = true, video = true) {
    const { peer, offer } = this.client.incoming;
    this.client.incoming = null;
    this.begin(peer);
    this.media = { audio, video };
    return offer === null ? this.sendOffer(false) : this.sendAnswer(offer);
  }

  rejectCall() {
    this.client.post(this.client.incoming.peer, 'BYE');
    this.client.incoming = null;
  }

  closeSession(sendBye) {
    const { client } = this;
    if (sendBye) client.post(this.address(), 'BYE');
    if (client.session === this) client.session = null;
    this.end();
  }

  holdCall() {
    this.held = true;
    return this.sendOffer(true);
  }

  resumeCall() {
    this.held = false;
    return this.sendOffer(true);
  }

  offerAgain() {
    return this.sendOffer(true);
  }

  /** Another source in mid-call: on the same peer connection it becomes a further section. */
  changeSource(stream) {
    this.client.stream = stream;
    for (const sender of this.pc.getSenders()) if (sender.track !== null) this.pc.removeTrack(sender);
    this.addTracks();
    return this.sendOffer(true);
  }

  sendInfo(data, mapped) {
    const text = Object.entries(data).map(([key, value]) => `${key}=${value}`).join('&');
    this.client.post(this.address(), `${mapped ? 'INFO-MAP' : 'INFO-PEER'} ${text}`);
  }

  getServerStats() {
    this.client.post(this.address(), 'GET-STATS');
  }

  sendDTMF(tones, { duration = 100, tonegap = 50 } = {}) {
    const sender = this.pc.getSenders().find(({ dtmf }) => dtmf !== null && dtmf.canInsertDTMF);
    if (sender === undefined) return -1;
    sender.dtmf.insertDTMF(tones, duration, tonegap);
    return 0;
  }

  isEstablished() {
    return this.state === 'established';
  }

  // ---- What the gateway says

  /** While an own offer is being prepared or pending, it is dropped and nobody hears of it. */
  takeOffer(offer) {
    if (this.state === 'established') return this.sendAnswer(offer);
    return undefined;
  }

  async takeReply(message) {
    if (message.messageType === 'OK') return;
    if (message.messageType !== 'ANSWER' || this.offer === null) {
      this.client.trip(`${message.messageType} comes while no ANSWER is waited for`);
      return;
    }
    const { offer, pc } = this;
    this.offer = null;
    checkAnswer(message, offer, this.held, (what) => this.client.trip(what));
    // The OK proves delivery only: whether the browser takes the answer is not known yet.
    this.postRoap('OK', { offererSessionId: this.id, answererSessionId: message.answererSessionId, seq: message.seq });
    try {
      await takeDescription(pc, 'answer', message);
    } catch (error) {
      this.fail(error);
      return;
    }
    // Another offer may have begun meanwhile.
    if (this.pc === pc && this.state === 'offered') this.settle();
  }

  /** The call is over, whoever said so. */
  end() {
    this.state = 'idle';
    this.offer = null;
    if (this.pc !== null) this.pc.close();
    this.pc = null;
  }

  // ---- Inside

  begin(peer) {
    this.peer = peer;
    this.client.session = this;
    this.seq = 0;
  }

  address() {
    if (this.peer !== 'self') return this.peer;
    return this.client.isOld ? 'self' : this.client.ssid;
  }

  connect() {
    const { client } = this;
    const { stun_server: stun } = client.settings;
    const pc = new RTCPeerConnection(stun ? { iceServers: [{ urls: `stun:${stun}` }] } : {});
    pc.onaddstream = ({ stream }) => {
      if (pc === this.pc) client.fire('onRemoteStream', { stream });
    };
    pc.oniceconnectionstatechange = () => {
      if (pc === this.pc && pc.iceConnectionState === 'disconnected') client.fire('onIceDisconnected', { status: 'disconnected' });
    };
    this.pc = pc;
    this.seq = 0;
    this.addTracks();
  }

  addTracks() {
    const { stream } = this.client;
    for (const track of stream?.getTracks() ?? []) if (this.media[track.kind]) this.pc.addTrack(track, stream);
  }

  async sendOffer(again) {
    this.state = 'preparing';
    const renews = this.client.isOld && this.pc !== null;
    if (renews) this.pc.close();
    if (renews || this.pc === null) this.connect();
    const { pc } = this;
    try {
      for (const transceiver of pc.getTransceivers()) {
        const sends = transceiver.sender.track !== null;
        transceiver.direction = this.held ? 'inactive' : sends ? 'sendrecv' : 'recvonly';
      }
      const created = await pc.createOffer();
      const gathered = gather(pc, this.client.settings.ice_timeout);
      await pc.setLocalDescription(created);
      const candidates = await gathered;
      if (pc !== this.pc || this.state !== 'preparing') return;
      // The first offer was written before there was any candidate; later ones have them in the text too.
      const sdp = fieldSdp(again ? pc.localDescription.sdp : created.sdp).replace(/^m=(\w+ \d+) UDP\/TLS\//gm, 'm=$1 ');
      this.seq += 1;
      this.offer = { sdp, seq: this.seq, offererSessionId: this.id };
      this.state = 'offered';
      this.postRoap('OFFER', {
        sdp,
        Candidates: this.client.filterCandidates(candidates).map(again ? likeRenegotiation : likeFirst),
        offererSessionId: this.id,
        answererSessionId: null,
        seq: this.seq,
        tiebreaker: 1 + Math.floor(Math.random() * 429496723),
      });
    } catch (error) {
      if (pc === this.pc) this.fail(error);
    }
  }

  async sendAnswer(offer) {
    this.state = 'answering';
    if (this.pc === null) this.connect();
    const { pc } = this;
    try {
      await takeDescription(pc, 'offer', offer);
      this.seq = Math.max(this.seq, offer.seq);
      const created = await pc.createAnswer();
      const gathered = gather(pc, this.client.settings.ice_timeout);
      await pc.setLocalDescription(created);
      const candidates = await gathered;
      if (pc !== this.pc) return;
      this.postRoap('ANSWER', {
        sdp: this.media.video ? fieldSdp(created.sdp) : withoutVideo(created.sdp),
        Candidates: this.client.filterCandidates(candidates).map(likeFirst),
        offererSessionId: offer.offererSessionId,
        answererSessionId: this.id,
        seq: offer.seq,
      });
      this.settle();
    } catch (error) {
      if (pc === this.pc) this.fail(error);
    }
  }

  settle() {
    this.state = 'established';
    const silent = this.pc.getTransceivers().every(({ currentDirection }) => currentDirection === 'inactive');
    if (silent) this.client.fire('onSessionHold', { isTrue: true });
  }

  /** A client that cannot go on hangs up. */
  fail(error) {
    this.client.trip(`the browser refuses: ${error.message}`);
    this.client.fire('onWebrtcError', { error: error.message });
    this.closeSession(true);
  }

  postRoap(messageType, fields) {
    const { client } = this;
    const attached = client.data === undefined ? {} : { attacheddata: client.data };
    client.post(this.address(), `RSMP ${JSON.stringify({ messageType, ...fields, ...attached })}`, true);
  }
}

/** The description, then each candidate in the place that it names. */
async function takeDescription(pc, type, { sdp, Candidates }) {
  await pc.setRemoteDescription({ type, sdp: sdp.replace(/\r?\n/g, '\r\n') });
  for (const { candidate, sdpMLineIndex, sdpMid } of Candidates) await pc.addIceCandidate({ candidate, sdpMLineIndex, sdpMid });
}

/** What was gathered when gathering is complete, or has taken too long. */
function gather(pc, limit) {
  const candidates = [];
  return new Promise((resolve) => {
    setTimeout(() => resolve(candidates), limit);
    pc.onicecandidate = ({ candidate }) => {
      if (candidate === null) resolve(candidates);
      else if (candidate.candidate !== '') candidates.push(candidate);
    };
  });
}

const likeFirst = ({ candidate, sdpMid, sdpMLineIndex, usernameFragment }) => ({ candidate, sdpMid, sdpMLineIndex, usernameFragment });
const likeRenegotiation = ({ candidate, sdpMLineIndex }) => ({
  sdpMLineIndex,
  sdpMid: sdpMLineIndex === 0 ? 'audio' : 'video',
  candidate: `a=${candidate}`,
});

/** RTX is taken out, but its payload number stays in the m-line; `b=AS` goes in from the first video section on. */
function fieldSdp(sdp) {
  const rtx = [...sdp.matchAll(/^a=rtpmap:(\d+) rtx\/.*$/gm)].map(([, payload]) => payload);
  const lines = sdp.split('\r\n').filter((line) => !rtx.some((payload) => new RegExp(`^a=(rtpmap|fmtp):${payload} `).test(line)));
  const video = lines.findIndex((line) => line.startsWith('m=video'));
  return lines.flatMap((line, at) => (video >= 0 && at > video && line.startsWith('c=') ? [line, 'b=AS:500'] : [line])).join('\r\n');
}

/** Video refused: the port says so, while BUNDLE still lists the section and it still says recvonly. */
function withoutVideo(sdp) {
  return fieldSdp(sdp).replace(/^m=video \d+/gm, 'm=video 0');
}
