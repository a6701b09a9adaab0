'use strict';

// The application of the exercise: one cheap and one expensive operation, random numbers, what the process knows of itself,
// and an echo, by which it can be tested what becomes of bodies. How many processes serve it, and who starts them, is decided elsewhere.

const os = require('node:os');
const express = require('express');

const { version } = require('./package.json');
const { strict } = require('./strict');

// Beyond this many steps the sum is no longer exact in a double: N(N-1)/2 must stay below 2^53.
const MAX_ITERATIONS = 134_217_728;
const MAX_COUNT = 100_000_000;
const MAX_SEED = 2 ** 32 - 1;

/** A whole number from the query, the default where it is absent, or an error that says what it should be. */
function number(query, name, { maximum, preset }) {
  const text = query[name];
  if (text === undefined) return preset;
  const value = typeof text === 'string' && /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (value <= maximum) return value;
  const error = new Error(`bad parameter ${name}: expected an integer from 0 to ${maximum}, given once`);
  throw Object.assign(error, { status: 400, parameter: name });
}

/** 0 + 1 + ... + (iterations - 1), one by one. */
function sum(iterations) {
  let total = 0;
  for (let next = 0; next < iterations; next += 1) total += next;
  return total;
}

/** mulberry32: 32 bits of state and 32-bit arithmetic only. */
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** How often each number from 1 to 1000 came, without those that never came. */
function frequencies(count, seed) {
  const next = generator(seed);
  const counts = new Uint32Array(1001);
  for (let drawn = 0; drawn < count; drawn += 1) counts[1 + (next() % 1000)] += 1;
  const found = {};
  counts.forEach((times, value) => {
    if (times > 0) found[value] = times;
  });
  return found;
}

/** The application; `origin` and `worker` are its names in every answer, `workers` is how many there are. */
module.exports = function application({ origin, worker, workers }) {
  const app = express();

  app.use(strict);

  app.get(['/simple', '/operacion-simple'], (request, response) => {
    response.json({ origin, worker, payload: sum(1000) });
  });

  app.get(['/complex', '/operacion-compleja'], (request, response) => {
    const iterations = number(request.query, 'iterations', { maximum: MAX_ITERATIONS, preset: 5_000_000 });
    response.json({ origin, worker, payload: sum(iterations) });
  });

  app.get('/api/randoms', (request, response) => {
    const count = number(request.query, 'count', { maximum: MAX_COUNT, preset: 100_000 });
    const seed = number(request.query, 'seed', { maximum: MAX_SEED, preset: 0 });
    response.json({ origin, worker, count, seed, frequencies: frequencies(count, seed) });
  });

  app.post('/echo', (request, response) => {
    response.setHeader('Content-Type', request.get('content-type') ?? 'application/octet-stream');
    response.send(request.body ?? Buffer.alloc(0));
  });

  app.get('/info', (request, response) => {
    response.json({
      origin,
      version,
      pid: process.pid,
      worker,
      workers,
      processors: { present: os.cpus().length, allowed: os.availableParallelism() },
      rss_bytes: process.memoryUsage.rss(),
      uptime_seconds: Math.floor(process.uptime()),
      arguments: process.argv.slice(2),
    });
  });

  app.use((request, response) => {
    response.status(404).json({ error: 'no such path' });
  });

  // Express knows an error handler by its four parameters.
  app.use((error, request, response, next) => {
    const status = error.status ?? 500;
    if (status >= 500) console.error(error);
    const { message, parameter } = error;
    response.status(status).json({ error: status >= 500 ? 'internal error' : message, parameter });
  });

  return app;
};
