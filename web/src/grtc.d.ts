// The script grtc.js, which the page loads first, makes this global.
declare const Grtc: typeof import('grtc');
