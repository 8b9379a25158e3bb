// @shevernitskiy/amo: `amo.widget` for the four widget methods, `amo.raw` (its generic requests) for the rest.
'use strict';

const assert = require('node:assert/strict');
const { Amo } = require('@shevernitskiy/amo');
const { run, URL_BASE } = require('./cases.cjs');

function connect(token, language) {
  const oauth = {
    client_id: 'none', client_secret: 'none', redirect_uri: 'none', grant_type: 'authorization_code',
    token_type: 'Bearer', access_token: token, refresh_token: 'none', expires_in: 86400, expires_at: Date.now() + 86400000,
  };
  const amo = new Amo('account.invalid', oauth, { request_delay: 0 });

  // The client makes https://<account> of its first argument; this is its own field for any other address.
  amo.raw.url_base = URL_BASE;

  return {
    async pages(limit) {
      const pages = [await amo.widget.getWidgets({ limit, page: 1 })];
      // The client has no pager: its users follow the links as they are.
      for (let next; (next = pages.at(-1)._links.next);) {
        pages.push(await amo.raw.get({ url_base: '', url: next.href }));
      }
      return pages;
    },
    list: (page, limit) => amo.widget.getWidgets({ page, limit }),
    get: (code) => language
      ? amo.raw.get({ url: `/api/v4/widgets/${code}`, headers: { 'Accept-Language': language } })
      : amo.widget.getWidgetByCode(code),
    install: (code, settings) => amo.widget.addWidgetByCode(code, settings),
    uninstall: (code) => amo.widget.deleteWidgetByCode(code),
    async proceed(bot, id, body) {
      // `amo.salesbot` can only start a bot, so: a generic request.
      try {
        return await amo.raw.post({ url: `/api/v4/salesbot/${bot}/continue/${id}`, payload: body });
      } catch (error) {
        // The client reads JSON from every success but 204, so a 202 without a body, as the API defines it, ends in this
        // error of the JSON parser. A refusal is another error, see `failure`.
        if (error instanceof SyntaxError && error.message === 'Unexpected end of JSON input') return null;
        throw error;
      }
    },
  };
}

run({
  name: '@shevernitskiy/amo',
  origin: URL_BASE,
  connect,
  // The client makes an ApiError, with the parsed body as `response`, only when Content-Type is exactly
  // application/problem+json; otherwise an HttpError without one. In this release both are plain Errors to `instanceof`.
  failure: (error) => 'response' in error ? { status: Number.parseInt(error.message, 10), body: error.response } : null,
  nothing: (result) => assert.equal(result, null),
});
