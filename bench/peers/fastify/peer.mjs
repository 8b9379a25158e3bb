// As many processes as there are processors, on one port.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createSigner } from 'fast-jwt';
import pg from 'pg';
import { CONNECTIONS, ISSUER, KEY, serve } from './service.mjs';

const DAY = 24 * 3600;
const FIRST = `SELECT w.code FROM installs i JOIN widgets w ON w.id = i.widget_id
WHERE i.account_id = $1 AND w.current_version IS NOT NULL ORDER BY w.id LIMIT 1`;

async function anyInstalled(account) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query(FIRST, [account]);
  await client.end();
  if (rows.length === 0) throw new Error(`BENCH_CODE is not given, and no widget is installed in account ${account}`);
  return rows[0].code;
}

async function lead() {
  const account = Number(process.env.BENCH_ACCOUNT || 1);
  const processes = Number(process.env.FASTIFY_PROCESSES || availableParallelism());
  const code = process.env.BENCH_CODE || (await anyInstalled(account));
  const sign = createSigner({ key: process.env.BENCH_TOKEN_SECRET, algorithm: 'HS256', kid: KEY });
  const token = sign({ iss: ISSUER, sub: '7', account_id: account, role: 'user', exp: Math.floor(Date.now() / 1000) + DAY });

  let isEnding = false;
  const workers = Array.from({ length: processes }, () => cluster.fork({ CONNECTIONS: String(Math.ceil(CONNECTIONS / processes)) }));
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      isEnding = true;
      for (const worker of workers) worker.process.kill('SIGTERM');
    });
  }
  cluster.on('exit', () => {
    if (!isEnding) {
      for (const worker of workers) worker.process.kill('SIGTERM');
      process.exitCode = 1;
    }
  });
  const addresses = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  const paths = { one: `/api/v4/widgets/${code}`, list: '/api/v4/widgets?limit=50&page=1' };
  process.stdout.write(`${JSON.stringify({ url: addresses[0], ...paths, headers: { authorization: `Bearer ${token}` } })}\n`);
}

if (cluster.isPrimary) await lead();
else process.send(await serve());
