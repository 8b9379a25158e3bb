// amocrm-js: knows no widgets, so everything goes through `client.request`, its generic requests.
'use strict';

const assert = require('node:assert/strict');
const https = require('node:https');
const net = require('node:net');
const { Client } = require('amocrm-js');
const { run, URL_BASE } = require('./cases.cjs');

// The client speaks https to port 443 of its `domain` and nothing else. Node lets a program choose how https connects: here, in
// plain text to the registry, as it would stand behind a proxy that ends TLS. The client itself and what it sends are untouched.
const DOMAIN = 'account.test';
const registry = new URL(URL_BASE);
class ToRegistry extends https.Agent {
  createConnection() {
    return net.connect(Number(registry.port), registry.hostname);
  }
}
https.globalAgent = new ToRegistry();

// It prints every error answer before it throws it.
console.error = () => {};

function connect(token, language) {
  const client = new Client({ domain: DOMAIN, auth: { bearer: token } });
  const options = language ? { headers: { 'Accept-Language': language } } : undefined;
  const data = async (answer) => (await answer).data;

  return {
    async pages(limit) {
      const pages = [await data(client.request.get('/api/v4/widgets', { limit }))];
      // As the client's own pager does: the whole link goes in, and it takes path and query from it.
      for (let next; (next = pages.at(-1)._links.next);) {
        pages.push(await data(client.request.get(next.href, { limit })));
      }
      return pages;
    },
    list: (page, limit) => data(client.request.get('/api/v4/widgets', { page, limit })),
    get: (code) => data(client.request.get(`/api/v4/widgets/${code}`, undefined, options)),
    install: (code, settings) => data(client.request.post(`/api/v4/widgets/${code}`, settings)),
    uninstall: (code) => data(client.request.delete(`/api/v4/widgets/${code}`)),
    proceed: async (bot, id, body) => {
      const answer = await client.request.post(`/api/v4/salesbot/${bot}/continue/${id}`, body);
      assert.equal(answer.response.statusCode, 202);
      assert.deepEqual(answer.data, {});
    },
  };
}

run({
  name: 'amocrm-js',
  origin: `http://${DOMAIN}`,
  connect,
  // The client takes any answer whose JSON has a top-level `status` for an error, whatever the HTTP status.
  failure: (error) => error.message === 'API_RESPONSE_ERROR'
    ? { status: error.apiResponse.response.statusCode, body: error.data }
    : null,
  nothing: (result) => assert.deepEqual(result, {}),
});
