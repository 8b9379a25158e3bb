// Sets Directus up in a schema of its own, fills its tables from the registry's, and serves them.
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import pg from 'pg';

const SCHEMA = 'peer_directus';
const CONNECTIONS = 16;
const ADMIN = { email: 'admin@example.com', password: 'not a secret: nobody else reaches it' };

const account = Number(process.env.BENCH_ACCOUNT || 1);

// What it would otherwise do beside its answers, or instead of them, is off.
const settings = {
  DB_CLIENT: 'pg',
  DB_CONNECTION_STRING: process.env.DATABASE_URL,
  DB_SEARCH_PATH: SCHEMA,
  DB_POOL__MIN: '0',
  DB_POOL__MAX: String(CONNECTIONS),
  SECRET: process.env.BENCH_TOKEN_SECRET,
  ACCESS_TOKEN_TTL: '1d',
  ADMIN_EMAIL: ADMIN.email,
  ADMIN_PASSWORD: ADMIN.password,
  PUBLIC_URL: 'http://127.0.0.1',
  TELEMETRY: 'false',
  LOG_LEVEL: 'error',
  RATE_LIMITER_ENABLED: 'false',
  PRESSURE_LIMITER_ENABLED: 'false',
  CACHE_ENABLED: process.env.DIRECTUS_CACHE === 'true' ? 'true' : 'false',
  CACHE_STORE: 'memory',
  SERVE_APP: 'false',
  WEBSOCKETS_ENABLED: 'false',
  WEBSOCKETS_LOGS_ENABLED: 'false',
  EXTENSIONS_PATH: './extensions',
  STORAGE_LOCAL_ROOT: './uploads',
  NODE_ENV: 'production',
};

async function withDatabase(work) {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Its own tables, when they are not there yet. */
async function bootstrap() {
  const child = spawn(process.execPath, ['node_modules/@directus/api/dist/cli/run.js', 'bootstrap'], { stdio: ['ignore', 2, 2] });
  const stop = () => child.kill('SIGTERM');
  process.once('SIGTERM', stop);
  const [status] = await once(child, 'exit');
  process.off('SIGTERM', stop);
  if (status !== 0) throw new Error(`its bootstrap ended with ${status}`);
}

/** The widget to ask for: the one that was named, or the first that is installed. */
async function widgetOf(client) {
  if (process.env.BENCH_CODE) return process.env.BENCH_CODE;
  const first = 'SELECT w.code FROM installs i JOIN widgets w ON w.id = i.widget WHERE i.account_id = $1 ORDER BY w.id LIMIT 1';
  const { rows } = await client.query(first, [account]);
  if (rows.length === 0) throw new Error(`BENCH_CODE is not given, and no widget is installed in account ${account}`);
  return rows[0].code;
}

async function login(url) {
  const answer = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  if (!answer.ok) throw new Error(`logging in: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).data.access_token;
}

/** A question for widgets with what v4 shows of them: each with the account's install, if there is one. */
function question(parameters) {
  const fields = 'id,code,version,rating,settings_template,is_lead_source,is_work_with_dp,is_crm_template,client_uuid,installs.pipeline_id';
  const deep = JSON.stringify({ installs: { _filter: { account_id: { _eq: account } } } });
  return `/items/widgets?${new URLSearchParams({ fields, deep, ...parameters })}`;
}

Object.assign(process.env, settings);
await withDatabase((client) => client.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`));
await bootstrap();
const code = await withDatabase(async (client) => {
  await client.query(`SET search_path = ${SCHEMA}`);
  await client.query(await readFile('tables.sql', 'utf8'));
  return widgetOf(client);
});

// Everybody's widgets, those installed in the account, and the user's own.
const seen = {
  _or: [
    { visibility: { _eq: 'public' } },
    { installs: { account_id: { _eq: account } } },
    { _and: [{ owner_account_id: { _eq: account } }, { owner_user_id: { _eq: 7 } }] },
  ],
};
const one = { filter: JSON.stringify({ _and: [{ code: { _eq: code } }, seen] }), limit: '1' };
const list = { filter: JSON.stringify(seen), sort: 'id', limit: '50', page: '1' };

const { createServer } = await import('@directus/api/server');
const server = await createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const headers = { authorization: `Bearer ${await login(url)}` };
// It answers 200 where nothing is found.
for (const path of [question(one), question(list)]) {
  const answer = await fetch(url + path, { headers });
  const { data } = await answer.json();
  if (!data?.length) throw new Error(`no widget was found: ${answer.status}`);
}
process.stdout.write(`${JSON.stringify({ url, one: question(one), list: question(list), headers })}\n`);
