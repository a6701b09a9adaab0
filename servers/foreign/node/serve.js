'use strict';

// What both ways of starting the application share: the arguments, the listening, the ready line, and the end.

const { parseArgs } = require('node:util');
const application = load();
const { checkContinue } = require('./strict');

// As long as this project's servers keep a connection without a request; Node's own 5 s would cut a load generator's
// connections between two requests of a low rate.
const KEEP_ALIVE_MS = 75_000;
// How long answers under way may take after a stop signal, as in this project's servers.
const DRAIN_MS = 10_000;

/** The application, where Express is there. */
function load() {
  try {
    return require('./app');
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    console.error('error: Express is not here: install it with `just setup-reference`');
    process.exit(1);
  }
}

/** `--listen ADDRESS:PORT` and `--cpus LIST`. The list only counts: the mask is inherited from whoever starts this. */
exports.parse = function parse(argv = process.argv.slice(2)) {
  try {
    const { values } = parseArgs({
      args: argv,
      options: { listen: { type: 'string', default: '127.0.0.1:8080' }, cpus: { type: 'string' } },
    });
    const [, host, port] = /^(.+):([0-9]{1,5})$/.exec(values.listen) ?? [];
    if (port === undefined || Number(port) > 65_535) {
      throw new Error(`--listen ${values.listen}: give ADDRESS:PORT, such as 127.0.0.1:8080`);
    }
    const cpus = values.cpus ?? allowedCpus();
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port), cpus, count: countOf(cpus) };
  } catch (error) {
    console.error(`error: ${error.message}`);
    process.exit(2);
  }
};

/** The CPUs that this process may use, in the kernel's notation. */
function allowedCpus() {
  const status = require('node:fs').readFileSync('/proc/self/status', 'utf8');
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)[1];
}

/** How many CPUs a list such as `0-3,6` names. */
function countOf(list) {
  let count = 0;
  for (const part of list.split(',')) {
    const [, first, last = first] = /^([0-9]+)(?:-([0-9]+))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) {
      throw new Error(`--cpus ${list}: give numbers and ranges such as 0-3,6`);
    }
    count += Number(last) - Number(first) + 1;
  }
  return count;
}

/** Says on stdout, as one JSON line, that the server accepts. */
exports.announce = function announce({ server, host, port, workers, cpus }) {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const ready = { server, address, pid: process.pid, workers, cpus, profile: 'release' };
  console.log(JSON.stringify(ready));
};

/** Listens, and calls `ready` with the address when it does; the first stop signal drains, a second one ends at once. */
exports.serve = function serve({ origin, worker, workers, host, port }, ready) {
  const app = application({ origin, worker, workers });
  const server = app.listen(port, host);
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.on('checkContinue', checkContinue);
  server.on('listening', () => ready(server.address()));
  server.on('error', (error) => {
    console.error(`error: cannot listen on ${host}:${port}: ${error.message}`);
    process.exit(1);
  });
  exports.onStop(() => {
    server.close(() => process.exit(0));
    // A connection that was busy at that moment is idle after its answer.
    setInterval(() => server.closeIdleConnections(), 50);
    setTimeout(() => {
      console.error('still answering after the time to drain: what is not done is cut');
      process.exit(0);
    }, DRAIN_MS);
  });
};

/** Calls `stop` at the first SIGTERM or SIGINT; `atOnce` and the end come with the second. */
exports.onStop = function onStop(stop, atOnce = () => {}) {
  let stopping = false;
  for (const [signal, number] of [['SIGTERM', 15], ['SIGINT', 2]]) {
    process.on(signal, () => {
      if (stopping) {
        atOnce();
        process.exit(128 + number);
      }
      stopping = true;
      stop();
    });
  }
};
