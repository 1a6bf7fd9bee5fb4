// HTTP as the pages in the field do it: jQuery 1.x and 2.x read a reply by what its Content-Type says, whatever was asked for.
//
//   JSON is parsed and XML is parsed, and a reply that is not well-formed counts as failed; JavaScript is run, from another
//   origin too; a 204 has no data. A request is a success with a status of 200 to 299 or 304 only.
'use strict';

/** Starts one request: {type, url, data, timeout, success(data, status, header), error(status, why)}. Gives its abort function. */
function ajax({ type = 'GET', url, data, timeout = 0, success = () => {}, error = () => {} }) {
  const request = new XMLHttpRequest();
  let timer = 0;
  let settled = false;
  const settle = (outcome) => {
    if (settled) return;
    settled = true;
    clearTimeout(timer);
    outcome();
  };
  request.open(type, url, true);
  request.withCredentials = true;
  request.setRequestHeader('Accept', '*/*');
  if (data !== undefined) request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8');
  request.onload = () => settle(() => readReply(request, success, error));
  request.onerror = () => settle(() => error(0, 'error'));
  if (timeout > 0) {
    timer = setTimeout(() => {
      settle(() => error(0, 'timeout'));
      request.abort();
    }, timeout);
  }
  request.send(data);
  return () => {
    settle(() => {});
    request.abort();
  };
}

function readReply(request, success, error) {
  const { status } = request;
  if (!((status >= 200 && status < 300) || status === 304)) {
    error(status, 'error');
    return;
  }
  let data;
  try {
    if (status !== 204) data = convert(request.responseText, request.getResponseHeader('Content-Type') ?? '');
  } catch (exception) {
    error(status, `parsererror: ${exception.message}`);
    return;
  }
  success(data, status, (name) => request.getResponseHeader(name));
}

function convert(text, type) {
  if (/\bxml\b/.test(type)) {
    const parsed = new DOMParser().parseFromString(text, 'text/xml');
    if (parsed.getElementsByTagName('parsererror').length > 0) throw new Error('Invalid XML');
    return parsed;
  }
  if (/\bhtml\b/.test(type)) return text;
  if (/\bjson\b/.test(type)) return JSON.parse(text);
  if (/\b(?:java|ecma)script\b/.test(type)) (0, eval)(text);
  return text;
}
