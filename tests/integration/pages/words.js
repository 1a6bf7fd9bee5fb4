// The words in which tests speak to a page, whatever its client. Of the page itself: open(), enable(), openSession() and attach().
const events = []; // {name, data} in the order in which they came
let client;
let session;

function note(name, data) {
  const stated = (key, value) => (value instanceof MediaStream ? 'stream' : value);
  events.push({ name, data: JSON.parse(JSON.stringify(data ?? null, stated)) });
}

function call(peer, audio, video, data) {
  openSession();
  if (data) attach(data);
  session.makeOffer(peer, audio, video);
}

function accept(audio, video) {
  openSession();
  session.acceptCall(audio, video);
}

function reject() {
  openSession();
  session.rejectCall();
}
