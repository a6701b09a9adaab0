'use strict';

// The application in one process with one thread. PM2 starts this same file, as many times as it thinks right, and tells
// each instance its number.

process.env.NODE_ENV ??= 'production';

const { parse, serve, announce } = require('./serve');

const { host, port, cpus } = parse();
const instance = process.env.NODE_APP_INSTANCE;
const origin = instance === undefined ? 'node-single' : 'pm2';
const worker = instance === undefined ? 't0' : `p${instance}`;
const workers = Number(process.env.instances ?? 1);

serve({ origin, worker, workers, host, port }, (address) => {
  announce({ server: origin, host, port: address.port, workers, cpus });
});
