-- The widgets as Directus can serve them: it takes no table whose key has two columns, so neither our versions nor our installs. A widget has its
-- current version in its own row, with the names of its settings in one language.
DROP TABLE IF EXISTS installs, widgets;

CREATE TABLE widgets (
  id integer PRIMARY KEY,
  code text NOT NULL UNIQUE,
  version text NOT NULL,
  rating text NOT NULL,
  settings_template json NOT NULL,
  is_lead_source boolean NOT NULL,
  is_work_with_dp boolean NOT NULL,
  is_crm_template boolean NOT NULL,
  client_uuid uuid,
  visibility text NOT NULL,
  owner_account_id integer NOT NULL,
  owner_user_id integer NOT NULL
);
INSERT INTO widgets
SELECT w.id, w.code, v.version,
  CASE WHEN w.rating_tenths = 0 THEN '0' ELSE w.rating_tenths / 10 || ',' || w.rating_tenths % 10 END,
  (SELECT coalesce(json_agg(json_build_object(
      'key', field -> 'key',
      'name', coalesce(
        (SELECT text ->> 1 FROM json_array_elements(field -> 'name' -> 'texts') AS text WHERE lower(text ->> 0) = 'en' LIMIT 1),
        field -> 'name' -> 'texts' -> 0 ->> 1, field -> 'name' ->> 'fallback'),
      'type', field -> 'type',
      'is_required', field -> 'is_required') ORDER BY place), '[]')
    FROM json_array_elements(v.template) WITH ORDINALITY AS fields (field, place)),
  v.is_lead_source, v.is_work_with_dp, w.is_crm_template, w.client_uuid, w.visibility, w.owner_account_id, w.owner_user_id
FROM public.widgets w JOIN public.widget_versions v ON v.widget_id = w.id AND v.version = w.current_version;

CREATE TABLE installs (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id integer NOT NULL,
  widget integer NOT NULL REFERENCES widgets,
  pipeline_id integer
);
INSERT INTO installs (account_id, widget, pipeline_id)
SELECT i.account_id, i.widget_id, i.pipeline_id FROM public.installs i JOIN widgets w ON w.id = i.widget_id;
CREATE UNIQUE INDEX installs_by_account ON installs (account_id, widget);
CREATE INDEX installs_by_widget ON installs (widget, account_id);
ANALYZE widgets, installs;

-- A widget shows its installs.
DELETE FROM directus_relations WHERE many_collection = 'installs';
DELETE FROM directus_fields WHERE collection = 'widgets';
DELETE FROM directus_collections WHERE collection IN ('widgets', 'installs');
INSERT INTO directus_collections (collection) VALUES ('widgets'), ('installs');
INSERT INTO directus_fields (collection, field, special) VALUES ('widgets', 'installs', 'o2m'), ('widgets', 'settings_template', 'cast-json');
INSERT INTO directus_relations (many_collection, many_field, one_collection, one_field) VALUES ('installs', 'widget', 'widgets', 'installs');
