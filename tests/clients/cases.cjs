// The cases that every npm client runs. A client file says how the client is called and what its errors look like; what
// must come back is said here, once. cases.py says the same for the Python clients.
'use strict';

const assert = require('node:assert/strict');

const setting = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start this through ./run`);
  return value;
};

const URL_BASE = setting('CLIENTS_URL');
const ADMIN = setting('CLIENTS_ADMIN_TOKEN');
const USER = setting('CLIENTS_USER_TOKEN');
const EXPECTED = setting('CLIENTS_WIDGETS').split(' ');

const BOT = 77;
const SETTINGS = {
  login: 'example',
  password: 'eXaMp1E',
  phones: { 504141: '1039' },
  script_path: 'https://example.com/',
};
const DATA = { status: 'success', items: [1, 2.5, null], note: 'naïve ✓ "quoted"', deep: { a: { b: [true] } } };
const KEYS = [
  'id', 'code', 'version', 'rating', 'settings_template', 'is_lead_source', 'is_work_with_dp', 'is_crm_template',
  'client_uuid', 'is_active_in_account', 'pipeline_id', '_links',
];
const TITLES = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found' };

let failed = 0;

async function check(client, name, body) {
  try {
    await body();
    console.log(`ok - ${client}: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - ${client}: ${name}`);
    console.log(String(error && error.stack || error).replace(/^/gm, '#   '));
  }
}

// The bot's side of a continuation; not a part of what the clients know.
async function registry(method, path, body) {
  const answer = await fetch(`${URL_BASE}/registry/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${ADMIN}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

async function openContinuation() {
  const opened = await registry('POST', `/salesbot/${BOT}/continuations`, {
    widget_code: 'demo_bot_step',
    entity: { type: 'leads', id: 5 },
    timeout_seconds: 600,
  });
  assert.equal(opened.state, 'waiting');
  // From the text of the address: an id may be larger than a JavaScript number.
  return opened.return_url.match(/\/api\/v4\/salesbot\/77\/continue\/([1-9][0-9]*)$/)[1];
}

// Runs `call`, which must fail, and compares what the client made of the answer.
async function fails(client, call, status, detail) {
  let error;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  assert.ok(error, `the client reported success instead of ${status}`);
  const failure = client.failure(error);
  assert.ok(failure, `not the client's own API error: ${error && error.stack}`);
  const body = failure.body;
  assert.equal(failure.status, status);
  assert.equal(body.status, status);
  assert.equal(body.title, TITLES[status]);
  assert.equal(body.type, `https://httpstatus.es/${status}`);
  if (detail) assert.equal(body.detail, detail);
  else assert.ok(body.detail, 'no detail');
  return body;
}

const template = (widget) => widget.settings_template.map((field) => [field.key, field.name, field.type, field.is_required]);

/**
 * client: {
 *   name, origin,                      what the widgets' addresses begin with, as this client sees the server
 *   connect(token, language) → session with
 *     pages(limit) → array of lists, read until there is no next link
 *     list(page, limit), get(code), install(code, settings), uninstall(code), proceed(bot, id, body)
 *   failure(error) → {status, body} for the client's own API error, otherwise null
 * }
 */
async function run(client) {
  const { name } = client;
  const admin = client.connect(ADMIN);
  const user = client.connect(USER);
  let total = EXPECTED.length;

  await check(name, 'list: two at a time, until there is no next link', async () => {
    const pages = await admin.pages(2);
    const widgets = pages.flatMap((page) => page._embedded.widgets);
    const ids = widgets.map((widget) => widget.id);
    const codes = widgets.map((widget) => widget.code);

    total = widgets.length;
    pages.forEach((page, index) => {
      assert.equal(page._page, index + 1);
      assert.equal(page._links.self.href, `${client.origin}/api/v4/widgets?limit=2&page=${index + 1}`);
      assert.equal(page._embedded.widgets.length, index + 1 < pages.length ? 2 : total - 2 * index);
      assert.equal('prev' in page._links, index > 0);
    });
    assert.deepEqual(ids, [...new Set(ids)].sort((a, b) => a - b), 'ids are not ascending, or one came twice');
    for (const code of EXPECTED) {
      assert.equal(codes.filter((seen) => seen === code).length, 1, `${code} in ${codes}`);
    }
    for (const widget of widgets) {
      assert.deepEqual(Object.keys(widget), KEYS);
      assert.equal(widget._links.self.href, `${client.origin}/api/v4/widgets/${widget.code}`);
    }
  });

  await check(name, 'list: past the end', async () => {
    const page = await admin.list(2, total);
    assert.equal(page._page, 2);
    assert.deepEqual(page._embedded.widgets, []);
    assert.equal('next' in page._links, false);
  });

  await check(name, 'get: by code', async () => {
    const widget = await admin.get('demo_telephony');
    assert.deepEqual(Object.keys(widget), KEYS);
    assert.equal(widget.code, 'demo_telephony');
    assert.equal(typeof widget.rating, 'string');
    assert.equal(widget.is_active_in_account, false);
    assert.equal(widget.pipeline_id, null);
    assert.deepEqual(template(widget), [
      ['login', 'Login', 'text', true],
      ['password', 'Password', 'pass', true],
      ['phones', 'Phone numbers', 'users', true],
      ['script_path', 'Script path', 'text', true],
    ]);
  });

  await check(name, 'get: in another language', async () => {
    const widget = await client.connect(ADMIN, 'ru').get('demo_telephony');
    assert.deepEqual(template(widget).map((field) => field[1]), ['Логин', 'Пароль', 'Список телефонов', 'Путь к скрипту']);
  });

  await check(name, 'get: what a widget can do', async () => {
    const [forms, notify, notes] = [await admin.get('demo_forms'), await admin.get('demo_notify'), await admin.get('demo_notes')];
    assert.deepEqual([forms.is_lead_source, forms.is_work_with_dp], [true, false]);
    assert.deepEqual([notify.is_lead_source, notify.is_work_with_dp], [false, true]);
    assert.deepEqual(notes.settings_template, []);
  });

  await check(name, 'get: an unknown code', async () => {
    await fails(client, () => admin.get('no_such_widget'), 404);
  });

  await check(name, 'get: a token that is none', async () => {
    await fails(client, () => client.connect('not.a.token').get('demo_telephony'), 401, 'Invalid user name or password');
  });

  await check(name, 'install: a user who is no admin', async () => {
    await fails(client, () => user.install('demo_telephony', SETTINGS), 403, 'Insufficient rights to call this method');
    assert.equal((await user.get('demo_telephony')).is_active_in_account, false);
  });

  await check(name, 'install: required fields are missing', async () => {
    const body = await fails(client, () => admin.install('demo_telephony', { login: 'example' }), 400, 'Request validation failed');
    assert.deepEqual(body['validation-errors'], [{
      request_id: '0',
      errors: ['password', 'phones', 'script_path'].map((path) => ({
        code: 'FieldMissing', path, detail: 'This field is missing.',
      })),
    }]);
    assert.equal((await admin.get('demo_telephony')).is_active_in_account, false);
  });

  await check(name, 'install: an unknown code', async () => {
    await fails(client, () => admin.install('no_such_widget', SETTINGS), 404);
  });

  await check(name, 'install', async () => {
    const widget = await admin.install('demo_telephony', SETTINGS);
    assert.deepEqual(Object.keys(widget), [...KEYS.slice(0, -1), 'settings', '_links']);
    assert.deepEqual(widget.settings, SETTINGS);
    assert.equal(widget.is_active_in_account, true);
    const seen = await user.get('demo_telephony');
    assert.equal(seen.is_active_in_account, true);
    assert.equal('settings' in seen, false);
  });

  await check(name, 'install: again, with an extension given as a number', async () => {
    const widget = await admin.install('demo_telephony', { ...SETTINGS, login: 'second', phones: { 504141: 1039, 7: '11' } });
    assert.deepEqual(widget.settings, { ...SETTINGS, login: 'second', phones: { 7: '11', 504141: '1039' } });
  });

  await check(name, 'install: a widget without settings', async () => {
    // An empty list, as some clients send for "none".
    const widget = await admin.install('demo_notes', []);
    assert.deepEqual(widget.settings, {});
    await admin.uninstall('demo_notes');
  });

  await check(name, 'uninstall: a user who is no admin', async () => {
    await fails(client, () => user.uninstall('demo_telephony'), 403, 'Insufficient rights to call this method');
  });

  await check(name, 'uninstall', async () => {
    client.nothing(await admin.uninstall('demo_telephony'));
    assert.equal((await admin.get('demo_telephony')).is_active_in_account, false);
  });

  await check(name, 'uninstall: again', async () => {
    await fails(client, () => admin.uninstall('demo_telephony'), 404);
  });

  let id;
  await check(name, 'continue: a bot, with data', async () => {
    id = await openContinuation();
    await fails(client, () => user.proceed(BOT, id, { data: DATA }), 403, 'Insufficient rights to call this method');
    await admin.proceed(BOT, id, { data: DATA });
  });

  await check(name, 'continue: again', async () => {
    await fails(client, () => admin.proceed(BOT, id, { data: DATA }), 404,
      'Record of the widget awaiting the execution result was not found');
  });

  await check(name, 'continue: the data has arrived', async () => {
    const record = await registry('GET', `/continuations/${id}`);
    assert.equal(record.state, 'continued');
    assert.deepEqual(record.data, DATA);
  });

  process.exitCode = failed ? 1 : 0;
}

module.exports = { run, URL_BASE };
