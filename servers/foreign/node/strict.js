'use strict';

// What Node lets pass although two servers could read it differently, so that bytes of one request are taken for another:
// refused here, and the connection closed.

const express = require('express');

const MAX_BODY_BYTES = 1_048_576;

/** Why a request is not served, as a status and a message; nothing for all others. */
function refusal({ headers, httpVersion }) {
  const { expect, 'content-length': length, 'transfer-encoding': coding } = headers;
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    return { status: 417, message: 'Expect can only be 100-continue' };
  }
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return { status: 501, message: 'Transfer-Encoding can only be chunked, in HTTP/1.1' };
  }
  if (Number(length) > MAX_BODY_BYTES) return { status: 413, message: 'the body is too long' };
  return undefined;
}

// Bodies are read whole before anything is answered, whichever path they were sent to.
const read = express.raw({ type: () => true, limit: MAX_BODY_BYTES });

/** The middleware. What says nothing of bodies or of the connection, as nearly all requests do, it lets pass at once. */
exports.strict = function strict(request, response, next) {
  const { connection, expect, 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if ((connection ?? expect ?? length ?? coding) === undefined) return next();
  // Node finds `close` only where nothing else surrounds it.
  if (connection !== undefined && /(^|,)\s*close\s*(,|$)/i.test(connection)) response.set('Connection', 'close');
  const refused = refusal(request);
  if (refused !== undefined) {
    response.set('Connection', 'close');
    return next(refused);
  }
  return read(request, response, (error) => {
    // Node's parser obeys `close` in a trailer without telling.
    if (request.trailers.connection !== undefined) response.set('Connection', 'close');
    next(error);
  });
};

/** For a server's `checkContinue`: only who will not be refused is told to send the body. */
exports.checkContinue = function checkContinue(request, response) {
  if (refusal(request) === undefined) response.writeContinue();
  this.emit('request', request, response);
};
