// A client as pages in the field have it, in two generations. It knows the signalling's sections 1 to 7 and 9 and none of our
// extensions: what it does not understand, or could not survive, it puts into `problems`. ("§" is a section of the signalling.)
//
//                          old                                  new
//   hanging GET fails      stops polling for good               polls again after 3 s
//   renegotiates on        a new peer connection, the old one   the same peer connection
//                          closed at once
//   session ids            strings                              numbers
//   loopback's address     the word `self`                      its own session id
//   sign-in as a DN        POST, `dn:undefined`                 GET
'use strict';

const kRetryDelay = 3000;

class FieldClient {
  /** `listener(name, data)` hears every event, by the API's names. */
  constructor(settings, listener) {
    this.settings = { variant: 'new', polling_timeout: 10000, ice_timeout: 1000, ...settings };
    this.isOld = this.settings.variant === 'old';
    this.fire = listener;
    this.problems = [];
    this.ssid = null;
    this.session = null; // the one of the call under way
    this.latestSession = null; // that the page made
    this.incoming = null;
    this.data = undefined; // attached, in every message
    this.sessions = 0;
    this.abortPoll = () => {};
    this.filterCandidates = (candidates) => candidates;
  }

  // ---- Signing in and out (§1)

  connect() {
    const digits = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0'));
    this.signIn(`anon${digits.join('')}`, undefined, 'onConnect');
  }

  register(dn) {
    this.signIn(dn, this.settings.sip_password, 'onRegister');
  }

  signIn(id, password, event) {
    if (this.ssid !== null) this.signOut();
    const posts = this.isOld || password ? id && event === 'onRegister' : false;
    ajax({
      url: `${this.gateway()}/sign_in${posts ? '' : `?${id}`}`,
      ...(posts ? { type: 'POST', data: `${id}:${password}` } : {}),
      success: (text) => {
        this.ssid = /=([^\r\n]*)/.exec(text)[1];
        this.poll();
        this.fire(event, { message: `signed in as ${id}` });
      },
      error: (status, why) => {
        if (/parsererror/.test(why)) this.trip(`the reply to a sign-in: ${why}`);
        this.fire('onFailed', { message: `${status} ${why}` });
      },
    });
  }

  disconnect() {
    if (this.ssid === null) throw new Error('INVALID_STATE_ERROR');
    this.signOut();
  }

  signOut() {
    const ssid = this.ssid;
    this.ssid = null;
    this.abortPoll();
    ajax({ url: `${this.gateway()}/sign_out?id=${ssid}`, success: () => this.fire('onDisconnect', { message: 'signed out' }) });
  }

  /** The tab is gone: nothing is said to anybody. */
  vanish() {
    this.ssid = null;
    this.abortPoll();
    if (this.session !== null) this.session.end();
    this.session = null;
  }

  gateway() {
    return this.settings.webrtc_gateway.split(',')[0].trim();
  }

  // ---- Polling (§2)

  poll() {
    const ssid = this.ssid;
    const isOver = () => this.ssid !== ssid;
    this.abortPoll = ajax({
      url: `${this.gateway()}/wait?id=${ssid}`,
      timeout: this.settings.polling_timeout,
      success: (text, status, header) => {
        if (isOver()) return;
        if (status !== 200) {
          this.ssid = null;
          this.fire('onDisconnect', { message: `told so by ${status}` });
          return;
        }
        this.poll();
        if (text !== '') this.take(text, header('Pragma'));
      },
      error: (status, why) => {
        if (isOver()) return;
        if (why === 'timeout') {
          this.poll();
          return;
        }
        if (/parsererror/.test(why)) this.trip(`the reply to a poll: ${why}`);
        this.fire('onConnectionError', { status: why });
        if (!this.isOld) setTimeout(() => isOver() || this.poll(), kRetryDelay);
      },
    });
  }

  // ---- Messages (§3, §4)

  /** One message; with `again` it is sent every 3 s until it has arrived. Nobody waits for it: the next may overtake it. */
  post(to, body, again = false) {
    const url = `${this.gateway()}/message?from=${this.ssid}&to=${to}`;
    const send = () =>
      ajax({
        type: 'POST',
        url,
        data: body,
        error: (status, why) => {
          if (/parsererror/.test(why)) this.trip(`the reply to a message: ${why}`);
          if (again) setTimeout(send, kRetryDelay);
        },
      });
    send();
  }

  /** The order of these tests is that of clients in the field. */
  take(text, peer) {
    const has = (word) => text.indexOf(word) > 0;
    if (text.startsWith('BYE')) this.takeBye();
    else if (text.startsWith('INVITE') && peer) this.takeInvite(peer);
    else if (text.startsWith('EVENT-TALK')) this.takeTalk(peer);
    else if (text.startsWith('EVENT-HOLD')) this.takeHold(peer);
    else if (text.startsWith('INFO-PEER ')) this.fire('onInfoFromPeer', pairsOf(text.slice('INFO-PEER '.length)));
    else if (text.startsWith('PUT-STATS')) this.fire('onStatsFromServer', JSON.parse(text.slice('PUT-STATS'.length)));
    else if (has('ERROR') && has('errorType') && has('{')) this.fire('onGatewayError', { error: jsonOf(text).errorType });
    else if (text.startsWith('SDP') && has('OFFER')) this.takeOffer(text, peer);
    else if (!has('OFFER') && this.session !== null) this.session.takeReply(jsonOf(text));
    else if (!/"messageType" ?: ?"OK"/.test(text)) this.trip(`a message that nothing is done with: ${text.slice(0, 60)}`);
  }

  takeBye() {
    if (this.session !== null) this.session.end();
    this.session = null;
    this.incoming = null;
    this.fire('onPeerClosing', {});
  }

  takeInvite(peer) {
    if (this.session !== null) {
      this.session.offerAgain();
      return;
    }
    this.incoming = { peer, offer: null };
    this.fire('onIncomingCall', { peer });
  }

  takeTalk(peer) {
    this.fire('onNotifyEvent', { peer, event: 'talk' });
    if (this.session === null && this.incoming !== null) (this.latestSession ?? new FieldSession(this)).acceptCall(true, false);
    else if (this.session !== null && this.session.held) this.session.resumeCall();
  }

  takeHold(peer) {
    this.fire('onNotifyEvent', { peer, event: 'hold' });
    if (this.session !== null) this.session.holdCall();
  }

  takeOffer(text, peer) {
    if (!peer) {
      this.trip('an OFFER without Pragma: nobody hears it ring');
      return;
    }
    const offer = jsonOf(text);
    if (offer.messageType !== 'OFFER') this.trip(`taken for an OFFER: ${offer.messageType}`);
    checkDescription(offer, (what) => this.trip(what));
    if (this.session !== null) {
      this.session.takeOffer(offer);
      return;
    }
    this.incoming = { peer, offer };
    this.fire('onIncomingCall', { peer });
  }

  trip(problem) {
    this.problems.push(problem);
  }
}

/** Pairs, split and not decoded. */
function pairsOf(text) {
  return Object.fromEntries(text.split('&').map((pair) => [pair.split('=')[0], pair.split('=')[1] ?? '']));
}

function jsonOf(text) {
  return JSON.parse(text.slice(text.indexOf('{')));
}
