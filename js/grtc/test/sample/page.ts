// A page in TypeScript that uses the package as it is installed: compiled by package.test.ts, never run.
import * as Grtc from 'grtc';
import type { ClientConfiguration, TransferInfo } from 'grtc';

const configuration: ClientConfiguration = {
  webrtc_gateway: 'https://gw1.example.com, https://gw2.example.com',
  stun_server: '',
  turn_server: undefined,
  sip_username: 1020,
  polling_timeout: '10000',
  dtls_srtp: true,
};
const client = new Grtc.Client(configuration);
const view = document.querySelector('video');

client.onRegister.add(({ message }) => client.logInfo(message));
client.onFailed.add(({ message, status, sipStatus }) => client.logError(`${message} ${status ?? ''} ${sipStatus ?? ''}`));
client.onConnectionError.add(({ status }) => client.logNotice(status));
client.onReconnect.add(({ resumed }) => client.logInfo(resumed ? 'the call goes on' : 'signed in anew'));
client.onGatewayError.add(({ error, sipStatus, reason, message }) => [error, sipStatus, reason, message].length);
client.onIncomingCall.add(({ peer }) => {
  const session = new Grtc.MediaSession(client);
  if (peer === '1021') session.acceptCall(true, false);
  else session.rejectCall();
  return false;
});
client.onStatsFromServer.add(({ timestamp, audio, video }) => [timestamp, audio?.codec, video?.rtt_average]);
client.enableMediaSource(true, { mandatory: { minWidth: 360 } });
client.filterIceCandidates = (candidates) => candidates.filter(({ candidate }) => !candidate.includes(' tcp '));
client.setLogLevel(Grtc.LOG_LEVEL_DEBUG);

const session = new Grtc.MediaSession(client);
session.onRemoteStream.add(({ stream }) => view !== null && client.setViewFromStream(view, stream));
session.onTransfer.add(({ state, sipStatus }: TransferInfo) => client.logInfo(`${state} ${sipStatus ?? ''}`));
session.setData([{ key: 'Name', value: 'Ann' }]);
session.makeOffer('1021', true, 'recvonly', false);
const sent: 0 | -1 = session.sendDTMF('12#', { duration: 100, tonegap: 50 });
session.transferCall(sent === 0 ? '1022' : session);
try {
  client.disconnect();
} catch (error) {
  if (error instanceof Grtc.Error && error.name === Grtc.INVALID_STATE_ERROR) client.logError(error.message, error);
}

// @ts-expect-error a gateway is needed
new Grtc.Client({});
// @ts-expect-error there is no such event
client.onNothing.add(() => undefined);
// @ts-expect-error the name of an event's data
client.onFailed.add(({ text }) => text);
