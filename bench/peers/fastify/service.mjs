// The two reads: one prepared statement each, and answers written by the schemas of their routes.
import { createVerifier } from 'fast-jwt';
import Fastify from 'fastify';
import pg from 'pg';
import { one as oneSchema, page as pageSchema } from './schemas.mjs';

export const CONNECTIONS = 16;
export const ISSUER = 'widget-registry';
// The id of the key at the registry, so that one token is good for both.
export const KEY = 'bench';

const PATH = '/api/v4/widgets';
const LOCALE = 'en';
const DEFAULT_LIMIT = 50;
const MOST_LIMIT = 250;
const MOST_PAGE = 1_000_000;

// The widget in its current version, with the account's install of it. $1 is the account and $2 the user.
const COLUMNS = `SELECT w.id, w.code, w.rating_tenths, w.is_crm_template, w.client_uuid, v.version, v.template, v.is_lead_source,
  v.is_work_with_dp, i.account_id IS NOT NULL AS is_installed, i.pipeline_id
FROM widgets w
JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version
LEFT JOIN installs i ON i.account_id = $1 AND i.widget_id = w.id
WHERE (w.visibility = 'public' OR i.account_id IS NOT NULL OR w.owner_account_id = $1 AND w.owner_user_id = $2)`;
const ONE = { name: 'one', text: `${COLUMNS} AND w.code = $3` };
const LIST = { name: 'list', text: `${COLUMNS} ORDER BY w.id LIMIT $3 OFFSET $4` };

// Numbers of 64 bits as numbers: ids are far below 2 to the power of 53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

function text({ texts, fallback }) {
  const pair = texts.find(([locale]) => locale.toLowerCase() === LOCALE) ?? texts[0];
  return pair ? pair[1] : fallback;
}

function rating(tenths) {
  return tenths === 0 ? '0' : `${Math.trunc(tenths / 10)},${tenths % 10}`;
}

function model(row, base) {
  return {
    id: row.id,
    code: row.code,
    version: row.version,
    rating: rating(row.rating_tenths),
    settings_template: row.template.map(({ key, name, type, is_required }) => ({ key, name: text(name), type, is_required })),
    is_lead_source: row.is_lead_source,
    is_work_with_dp: row.is_work_with_dp,
    is_crm_template: row.is_crm_template,
    client_uuid: row.client_uuid,
    is_active_in_account: row.is_installed,
    pipeline_id: row.pipeline_id,
    _links: { self: { href: `${base}/${row.code}` } },
  };
}

function links(base, page, limit, hasNext) {
  const to = (number) => ({ href: `${base}?limit=${limit}&page=${number}` });
  return {
    self: to(page),
    ...(hasNext && { next: to(page + 1) }),
    ...(page > 1 && { prev: to(page - 1), first: to(1) }),
  };
}

function problem(reply, status, title, detail) {
  reply.code(status).type('application/problem+json');
  return reply.send(JSON.stringify({ title, type: `https://httpstatus.es/${status}`, status, detail }));
}

/** Serves in this process; answers with the address. */
export async function serve() {
  const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.CONNECTIONS) });
  const verify = createVerifier({ key: process.env.BENCH_TOKEN_SECRET, algorithms: ['HS256'], allowedIss: ISSUER, cache: false });
  const app = Fastify({ logger: false, forceCloseConnections: true });

  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request, reply) => {
    try {
      const { sub, account_id } = verify(request.headers.authorization?.replace(/^Bearer /, ''));
      request.caller = [account_id, Number(sub)];
    } catch {
      return problem(reply, 401, 'Unauthorized', 'Invalid user name or password');
    }
  });

  app.get(`${PATH}/:code`, { schema: { response: { 200: oneSchema } } }, async (request, reply) => {
    const { rows } = await pool.query({ ...ONE, values: [...request.caller, request.params.code] });
    if (rows.length === 0) return problem(reply, 404, 'Not Found', 'There is no such widget');
    reply.header('content-type', 'application/hal+json').header('cache-control', 'no-store');
    return model(rows[0], `http://${request.host}${PATH}`);
  });

  const number = { type: 'integer', minimum: 1 };
  const querystring = {
    type: 'object',
    properties: { page: { ...number, maximum: MOST_PAGE, default: 1 }, limit: { ...number, default: DEFAULT_LIMIT } },
  };
  app.get(PATH, { schema: { querystring, response: { 200: pageSchema } } }, async (request, reply) => {
    const { page } = request.query;
    const limit = Math.min(request.query.limit, MOST_LIMIT);
    // One more than the page has, to know whether there is another page.
    const { rows } = await pool.query({ ...LIST, values: [...request.caller, limit + 1, (page - 1) * limit] });
    const base = `http://${request.host}${PATH}`;
    reply.header('content-type', 'application/hal+json').header('cache-control', 'no-store');
    return {
      _page: page,
      _links: links(base, page, limit, rows.length > limit && page < MOST_PAGE),
      _embedded: { widgets: rows.slice(0, limit).map((row) => model(row, base)) },
    };
  });

  process.on('SIGTERM', async () => {
    await app.close();
    await pool.end();
    process.exit(0);
  });
  await fill(pool);
  return app.listen({ host: '127.0.0.1', port: 0 });
}

/** Opens every connection: one that the database refuses is told before there are requests to answer. */
async function fill(pool) {
  const clients = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
  for (const client of clients) client.release();
}
