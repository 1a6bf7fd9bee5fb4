// The page: connects the phone, the view and the address bar.

import { Phone } from './phone.js';
import { Ringer } from './ringer.js';
import { readAddress, rememberedName } from './settings.js';
import { View } from './view.js';

declare global {
  interface Window {
    /** For tests and the curious. */
    softphone?: Phone;
  }
}

const address = readAddress(window.location);
const ringer = new Ringer();
let calledFromAddress = false;

const phone: Phone = new Phone(address, (state) => {
  view.draw(state);
  const ringsOut = state.call?.phase === 'ringing' && state.remoteStream === null;
  ringer.play(state.incoming !== null ? 'incoming' : ringsOut ? 'outgoing' : null);
  if (state.account.phase === 'in' && address.autoCall && !calledFromAddress) {
    calledFromAddress = true;
    phone.call(address.call, address.video);
  }
});
const view = new View(phone);
window.softphone = phone;

view.prepare(address.dn || rememberedName(), address.autoCall ? '' : address.call);
view.draw(phone.state);
window.addEventListener('pagehide', () => phone.signOut());

if (!Grtc.isWebrtcSupported()) {
  view.showUnsupported();
} else if (address.auto) {
  if (address.dn === '') phone.signInAnonymously();
  else phone.signIn(address.dn, '');
}
