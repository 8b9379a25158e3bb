// The shapes of the answers, from which Fastify makes the functions that write them.
const link = { type: 'object', properties: { href: { type: 'string' } } };

const field = {
  type: 'object',
  properties: {
    key: { type: 'string' },
    name: { type: 'string' },
    type: { type: 'string' },
    is_required: { type: 'boolean' },
  },
};

export const one = {
  type: 'object',
  properties: {
    id: { type: 'integer' },
    code: { type: 'string' },
    version: { type: 'string' },
    rating: { type: 'string' },
    settings_template: { type: 'array', items: field },
    is_lead_source: { type: 'boolean' },
    is_work_with_dp: { type: 'boolean' },
    is_crm_template: { type: 'boolean' },
    client_uuid: { type: 'string', nullable: true },
    is_active_in_account: { type: 'boolean' },
    pipeline_id: { type: 'integer', nullable: true },
    _links: { type: 'object', properties: { self: link } },
  },
};

export const page = {
  type: 'object',
  properties: {
    _page: { type: 'integer' },
    _links: { type: 'object', properties: { self: link, next: link, prev: link, first: link } },
    _embedded: { type: 'object', properties: { widgets: { type: 'array', items: one } } },
  },
};
