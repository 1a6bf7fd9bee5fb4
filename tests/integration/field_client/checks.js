// What clients in the field need of the gateway's OFFER and ANSWER (§4, §5, §6). Where it is not so, they go wrong without a word.
'use strict';

/** `offer`: what was sent, as {sdp, seq, offererSessionId}. */
function checkAnswer(answer, offer, held, trip) {
  checkDescription(answer, trip);
  if (answer.seq !== offer.seq) trip(`an ANSWER of seq ${answer.seq} to an OFFER of seq ${offer.seq}`);
  if (answer.offererSessionId !== offer.offererSessionId) trip(`offererSessionId ${JSON.stringify(answer.offererSessionId)} is no copy`);
  if (answer.moreComing) trip('an ANSWER that is none yet');
  const asked = sectionsOf(offer.sdp);
  const given = sectionsOf(answer.sdp);
  if (asked.map(kindOf).join() !== given.map(kindOf).join()) trip(`sections ${given.map(kindOf)} in answer to ${asked.map(kindOf)}`);
  given.forEach((section, at) => {
    const fits = { sendrecv: /./, sendonly: /recvonly|inactive/, recvonly: /sendonly|inactive/, inactive: /inactive/ }[directionOf(asked[at] ?? '')];
    if (!fits.test(directionOf(section))) trip(`${directionOf(section)} in answer to ${directionOf(asked[at])}`);
  });
  if (held && given.some((section) => directionOf(section) !== 'inactive')) trip('the answer to a hold is not inactive throughout');
  const audio = given.find((section) => kindOf(section) === 'audio' && !/^m=audio 0 /.test(section));
  if (audio !== undefined && !/^a=rtpmap:\d+ telephone-event\//m.test(audio)) trip('no telephone-event: digits cannot be sent');
}

function checkDescription({ sdp, Candidates }, trip) {
  if (!Array.isArray(Candidates)) trip('Candidates is no array');
  for (const { sdpMLineIndex, sdpMid } of Candidates ?? []) {
    if (sdpMLineIndex === undefined && sdpMid === undefined) trip('a candidate without a place');
  }
  if (/^a=msid:- /m.test(sdp)) trip('a=msid:- makes no stream');
  if (/^a=rtpmap:\d+ vp8\//m.test(sdp)) trip('vp8 in small letters');
  const kinds = sectionsOf(sdp).map(kindOf);
  if (kinds.lastIndexOf('audio') > kinds.indexOf('video') && kinds.includes('video')) trip('a section after the video sections');
  for (const section of sectionsOf(sdp)) if (directionOf(section) === '') trip('a section without a direction');
  for (const [line] of sdp.matchAll(/^a=candidate:.* typ (srflx|relay).*$/gm)) if (!/ raddr \S+ rport \d+/.test(line)) trip(`no raddr: ${line}`);
}

const sectionsOf = (sdp) => sdp.split(/^(?=m=)/m).slice(1);
const kindOf = (section) => /^m=(\w+)/.exec(section)[1];
const directionOf = (section) => /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(section)?.[1] ?? '';
