// The phone behind the page: one Grtc.Client, one call at a time, and the state that the view draws.

import type { Client, GatewayErrorInfo, MediaSession, ServerStats, TransferInfo } from 'grtc';
import { explainFailure, explainMediaFailure, explainSignInFailure, explainTransferFailure } from './reasons.js';
import { recentCalls, rememberCall, rememberName, type Address } from './settings.js';
import { describeStats, kInitialState, type CallView, type Notice, type PhoneState } from './state.js';

const kStatsInterval = 2000;
const kReconnectInterval = 500;
/** A lost connection is tried again every 3 s; without another failure for this long it works again. */
const kConnectionProof = 7000;

export class Phone {
  readonly #address: Address;
  #client: Client;
  readonly #onChange: (state: PhoneState) => void;
  #state: PhoneState = { ...kInitialState, recent: recentCalls() };
  #session: MediaSession | null = null;
  /** What to do once the devices are there. */
  #afterMedia: (() => void) | null = null;
  #failure: GatewayErrorInfo | null = null;
  #transferTarget = '';
  #transferred = false;
  #statsTimer: number | undefined;
  #lastStats: ServerStats | null = null;
  #connectionTimer: number | undefined;
  #reconnectTimer: number | undefined;

  constructor(address: Address, onChange: (state: PhoneState) => void) {
    this.#address = address;
    this.#onChange = onChange;
    this.#client = this.#newClient('', '');
  }

  get client(): Client {
    return this.#client;
  }

  get session(): MediaSession | null {
    return this.#session;
  }

  get state(): PhoneState {
    return this.#state;
  }

  // ---- Account

  signIn(name: string, password: string): void {
    rememberName(name);
    this.#change({ account: { phase: 'signingIn', name }, notice: null });
    this.#client = this.#newClient(name, password);
    this.#client.register();
  }

  signInAnonymously(): void {
    this.#change({ account: { phase: 'signingIn', name: 'guest' }, notice: null });
    this.#client = this.#newClient('', '');
    this.#client.connect();
  }

  signOut(): void {
    try {
      this.#client.disconnect();
    } catch {
      // Not signed in: then there is nothing to end.
    }
    this.#endCall(false);
    this.#change({ account: { phase: 'out', error: '' }, incoming: null, connectionLost: false });
  }

  // ---- Calls

  call(peer: string, video: boolean): void {
    if (this.#state.call !== null || this.#state.incoming !== null || peer === '') return;
    this.#begin(peer, 'out', video);
    this.#withMedia(video, () => {
      this.#newSession().makeOffer(peer, true, video);
      this.#changeCall({ phase: 'dialling' });
    });
  }

  accept(video: boolean): void {
    const { incoming } = this.#state;
    if (incoming === null) return;
    this.#change({ incoming: null });
    this.#begin(incoming.peer, 'in', video);
    this.#withMedia(video, () => {
      this.#newSession().acceptCall(true, video);
      this.#changeCall({ phase: 'dialling' });
    });
  }

  reject(): void {
    const { incoming } = this.#state;
    if (incoming === null) return;
    this.#remember({ peer: incoming.peer, direction: 'in', video: false, answered: false });
    this.#change({ incoming: null });
    new Grtc.MediaSession(this.#client).rejectCall();
  }

  hangUp(): void {
    const { call } = this.#state;
    if (call?.direction === 'in' && this.#session === null) new Grtc.MediaSession(this.#client).rejectCall();
    this.#session?.closeSession(true);
    this.#endCall(true);
  }

  toggleMute(): void {
    const { call } = this.#state;
    if (call === null || this.#session === null) return;
    this.#session.updateCall(call.muted);
    this.#changeCall({ muted: !call.muted });
  }

  /** Switches the camera's picture off and on; in a call without video it adds it. */
  toggleCamera(): void {
    const { call } = this.#state;
    const session = this.#session;
    if (call === null || session === null) return;
    if (call.video) {
      session.updateCall(undefined, !call.cameraOn);
      this.#changeCall({ cameraOn: !call.cameraOn });
      return;
    }
    this.#changeCall({ video: true });
    this.#withMedia(true, () => session.makeOffer(undefined, true, true));
  }

  toggleHold(): void {
    const { call } = this.#state;
    if (call === null || call.phase !== 'active') return;
    if (call.hold === 'ours') {
      this.#changeCall({ hold: 'none' });
      this.#session?.resumeCall();
    } else {
      this.#changeCall({ hold: 'ours' });
      this.#session?.holdCall();
    }
  }

  /** Connects the far end with someone else; the call ends here once that has worked. */
  transfer(to: string): void {
    const session = this.#session;
    if (session === null) return;
    try {
      session.transferCall(to);
    } catch (error) {
      this.#notify('error', error instanceof Error ? error.message : String(error));
      return;
    }
    this.#transferTarget = to;
    this.#changeCall({ transferring: true });
  }

  sendDigit(digit: string): void {
    if (this.#session?.sendDTMF(digit) !== 0) this.#notify('error', 'Digits cannot be sent in this call.');
  }

  showStats(shown: boolean): void {
    window.clearInterval(this.#statsTimer);
    this.#lastStats = null;
    if (!shown) {
      this.#change({ stats: null });
      return;
    }
    const ask = (): void => {
      if (this.#state.call?.phase === 'active') this.#session?.getServerStats();
    };
    ask();
    this.#statsTimer = window.setInterval(ask, kStatsInterval);
  }

  dismissNotice(): void {
    this.#change({ notice: null });
  }

  // ---- What the gateway and the browser tell

  #newClient(name: string, password: string): Client {
    const client = new Grtc.Client({
      webrtc_gateway: this.#address.gateway,
      sip_username: name,
      sip_password: password,
    });
    client.setRenewSessionOnNeed(false);
    this.#listen(client);
    return client;
  }

  #listen(client: Client): void {
    client.onRegister.add(() => this.#signedIn(false));
    client.onConnect.add(() => this.#signedIn(true));
    client.onFailed.add(({ message }) => {
      const { account } = this.#state;
      if (account.phase === 'in') {
        this.#connectionLost(); // another gateway is tried
        return;
      }
      const name = account.phase === 'out' ? '' : account.name;
      this.#change({ account: { phase: 'out', error: explainSignInFailure(name, message) } });
    });
    client.onDisconnect.add(() => {
      if (client !== this.#client || this.#state.account.phase !== 'in') return;
      this.#endCall(false);
      this.#change({ account: { phase: 'out', error: 'The gateway has signed you out. Please sign in again.' } });
    });
    client.onConnectionError.add(() => this.#connectionLost());
    client.onReconnect.add(() => this.#change({ connectionLost: false }));
    client.onMediaSuccess.add(({ stream }) => this.#mediaReady(stream));
    client.onMediaFailure.add(({ message }) => this.#mediaFailed(message));
    client.onIncomingCall.add(({ peer }) => {
      this.#change({ incoming: { peer }, notice: null });
      if (this.#address.answer) this.accept(this.#address.video);
    });
    client.onProgress.add(({ state }) => {
      const phase = this.#state.call?.phase;
      if (state === 'ringing' && phase === 'dialling') this.#changeCall({ phase: 'ringing' });
      if (state === 'answered' && (phase === 'dialling' || phase === 'ringing')) this.#active();
    });
    client.onGatewayError.add((error) => {
      this.#failure = error;
    });
    client.onPeerNoanswer.add(() => {
      if (this.#state.call === null || this.#state.call.phase === 'active') return;
      const { peer } = this.#state.call;
      this.hangUp();
      this.#notify('error', `${peer} did not answer.`);
    });
    client.onPeerClosing.add(() => this.#peerClosed());
    client.onIceDisconnected.add(() => {
      this.#changeCall({ reconnecting: true });
      this.#session?.makeOffer();
      this.#watchReconnection();
    });
    client.onWebrtcError.add(({ error }) => this.#notify('error', `The browser reports: ${error}`));
    client.onStatsFromServer.add((stats) => {
      if (this.#state.call === null) return;
      this.#change({ stats: describeStats(this.#lastStats, stats) });
      this.#lastStats = stats;
    });
  }

  #signedIn(anonymous: boolean): void {
    const { account } = this.#state;
    if (account.phase !== 'signingIn') return;
    this.#change({ account: { phase: 'in', name: account.name, anonymous } });
  }

  #connectionLost(): void {
    window.clearTimeout(this.#connectionTimer);
    this.#connectionTimer = window.setTimeout(() => this.#change({ connectionLost: false }), kConnectionProof);
    this.#change({ connectionLost: true });
  }

  #peerClosed(): void {
    const { call, incoming } = this.#state;
    const peer = call?.peer ?? incoming?.peer;
    if (peer === undefined) return;
    const failure = this.#failure;
    if (call === null) {
      this.#remember({ peer, direction: 'in', video: false, answered: false });
      this.#change({ incoming: null });
      this.#notify('info', `Missed call from ${peer}.`);
      return;
    }
    const transferred = this.#transferred;
    this.#endCall(true);
    if (transferred) this.#notify('info', `${peer} has been transferred to ${this.#transferTarget}.`);
    else if (failure !== null) this.#notify('error', explainFailure(peer, failure));
    else if (call.phase === 'active') this.#notify('info', `${peer} has hung up.`);
    else this.#notify('info', `The call with ${peer} has ended.`);
  }

  // ---- Media

  #withMedia(video: boolean, then: () => void): void {
    this.#afterMedia = then;
    const processing = !this.#address.raw;
    const audio = { echoCancellation: processing, noiseSuppression: processing, autoGainControl: processing };
    try {
      this.#client.enableMediaSource(audio, video);
    } catch (error) {
      this.#mediaFailed(error instanceof Error ? error.message : String(error));
    }
  }

  #mediaReady(stream: MediaStream): void {
    const then = this.#afterMedia;
    this.#afterMedia = null;
    if (this.#state.call === null || then === null) {
      this.#client.disableMediaSource();
      return;
    }
    const hasCamera = stream.getVideoTracks().length > 0;
    this.#change({ localStream: stream });
    this.#changeCall({ cameraOn: hasCamera });
    this.#attempt(then);
  }

  #mediaFailed(message: string): void {
    const then = this.#afterMedia;
    const { call } = this.#state;
    if (call === null || then === null) return;
    if (call.video && this.#state.localStream === null) {
      this.#notify('info', 'The camera cannot be used; the call goes on with your voice only.');
      this.#changeCall({ video: false });
      this.#withMedia(false, then);
      return;
    }
    this.#afterMedia = null;
    if (call.phase === 'active') {
      this.#changeCall({ video: false });
      this.#notify('error', 'The camera cannot be used.');
      return;
    }
    this.hangUp();
    this.#notify('error', explainMediaFailure(message));
  }

  // ---- The call's state

  #begin(peer: string, direction: 'out' | 'in', video: boolean): void {
    this.#failure = null;
    this.#change({
      notice: null,
      call: {
        peer,
        direction,
        phase: 'starting',
        video,
        remoteVideo: false,
        muted: false,
        cameraOn: video,
        hold: 'none',
        reconnecting: false,
        transferring: false,
        activeSince: null,
      },
    });
  }

  #newSession(): MediaSession {
    const session = new Grtc.MediaSession(this.#client);
    this.#session = session;
    session.onRemoteStream.add(({ stream }) => {
      const { call } = this.#state;
      if (call === null || this.#session !== session) return;
      this.#change({ remoteStream: stream });
      this.#changeCall({
        remoteVideo: session.hasVideoEnabled() && stream.getVideoTracks().length > 0,
        hold: call.hold === 'theirs' ? 'none' : call.hold,
      });
      if (session.isEstablished()) this.#active(); // else it is early media
    });
    session.onTransfer.add((transfer) => this.#transferGoesOn(transfer));
    session.onSessionHold.add(() => {
      if (this.#state.call?.hold === 'none') this.#changeCall({ hold: 'theirs' });
    });
    return session;
  }

  #transferGoesOn({ state, ...why }: TransferInfo): void {
    if (state === 'transferring') return;
    const target = this.#transferTarget;
    this.#changeCall({ transferring: false });
    if (state === 'transfer-failed') this.#notify('error', explainTransferFailure(target, why));
    else this.#transferred = true;
  }

  #active(): void {
    const { call } = this.#state;
    this.#changeCall({ phase: 'active', activeSince: call?.activeSince ?? Date.now() });
  }

  #watchReconnection(): void {
    window.clearInterval(this.#reconnectTimer);
    this.#reconnectTimer = window.setInterval(() => {
      if (this.#session !== null && !this.#session.isEstablished()) return;
      window.clearInterval(this.#reconnectTimer);
      this.#changeCall({ reconnecting: false });
    }, kReconnectInterval);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#endCall(false);
      this.#notify('error', error instanceof Error ? error.message : String(error));
    }
  }

  #endCall(remember: boolean): void {
    const { call } = this.#state;
    window.clearInterval(this.#statsTimer);
    this.#lastStats = null;
    this.#afterMedia = null;
    this.#session = null;
    this.#failure = null;
    this.#transferred = false;
    this.#client.disableMediaSource();
    if (call !== null && remember) {
      const { peer, direction, video, activeSince } = call;
      this.#remember({ peer, direction, video, answered: activeSince !== null });
    }
    this.#change({ call: null, localStream: null, remoteStream: null, stats: null });
  }

  #remember(call: { peer: string; direction: 'out' | 'in'; video: boolean; answered: boolean }): void {
    rememberCall({ ...call, at: Date.now() });
    this.#change({ recent: recentCalls() });
  }

  #notify(kind: Notice['kind'], text: string): void {
    this.#change({ notice: { kind, text } });
  }

  #changeCall(change: Partial<CallView>): void {
    if (this.#state.call !== null) this.#change({ call: { ...this.#state.call, ...change } });
  }

  #change(change: Partial<PhoneState>): void {
    this.#state = { ...this.#state, ...change };
    this.#onChange(this.#state);
  }
}
