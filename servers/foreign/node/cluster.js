'use strict';

// The application on Node's cluster module: a worker process for each CPU, and another in the place of each that exits.
// The primary accepts and hands connections round; workers that would die at once again and again end it.

process.env.NODE_ENV ??= 'production';

const cluster = require('node:cluster');
const { parse, serve, announce, onStop } = require('./serve');

const server = 'node-cluster';
const { host, port, cpus, count: workers } = parse();

// A worker that lives shorter than this did not die of its work.
const SHORT_LIFE_MS = 1_000;
// So many short lives in a row, for each worker, and no more are started.
const CRASH_BUDGET = 5;

if (cluster.isPrimary) supervise();
else serve({ origin: server, worker: process.env.WORKER, workers, host, port }, () => {});

function supervise() {
  let stopping = false;
  let announced;
  let listening = 0;
  let shortLives = 0;

  const living = () => Object.values(cluster.workers);
  const fail = (message) => {
    console.error(`error: ${message}`);
    for (const worker of living()) worker.process.kill('SIGKILL');
    process.exit(1);
  };

  function start(name) {
    const worker = cluster.fork({ WORKER: name });
    const started = Date.now();
    worker.on('exit', (code, signal) => {
      if (stopping) {
        if (living().length === 0) process.exit(0);
        return;
      }
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      if (announced === undefined) fail(`worker ${name} ${how} before it accepted; see its message above`);
      shortLives = Date.now() - started < SHORT_LIFE_MS ? shortLives + 1 : 0;
      if (shortLives >= CRASH_BUDGET * workers) fail(`worker ${name} ${how}; ${shortLives} died within a second`);
      console.error(`worker ${name} ${how}; it is replaced`);
      start(name);
    });
  }

  cluster.on('listening', (worker, address) => {
    listening += 1;
    if (announced === undefined && listening === workers) {
      announced = address.port;
      announce({ server, host, port: address.port, workers, cpus });
    } else if (announced !== undefined && address.port !== announced) {
      // Where any port was asked for and all workers died at once, nobody held the port meanwhile.
      fail(`port ${announced} was lost when all workers died`);
    }
  });

  onStop(
    () => {
      stopping = true;
      if (living().length === 0) process.exit(0);
      for (const worker of living()) worker.process.kill('SIGTERM');
    },
    () => living().forEach((worker) => worker.process.kill('SIGKILL')),
  );

  for (let index = 0; index < workers; index += 1) start(`p${index}`);
}
