-- Fills a registry: public widgets in about the shape that publishing gives them, and installs of many accounts. How many is told by the
-- settings bench.widgets and bench.accounts. Nothing is checked that cannot be wrong, and indexes with scattered keys are made afterwards,
-- so that a million widgets take a minute or two.
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';
SET work_mem = '256MB';

DROP INDEX installs_by_widget;
DROP INDEX widget_listings_terms;

INSERT INTO widgets (id, code, owner_account_id, owner_user_id, visibility, rating_tenths, rating_sum, rating_count, current_version, created_at)
SELECT n, 'bench_' || n, 1000 + n % 997, 7, 'public', n * 7919 % 51, n * 7919 % 51, CASE WHEN n * 7919 % 51 = 0 THEN 0 ELSE 10 END,
  '1.0.' || n % 10, now() - n * interval '1 second'
FROM generate_series(1, current_setting('bench.widgets')::bigint) AS n;

SELECT setval(pg_get_serial_sequence('widgets', 'id'), current_setting('bench.widgets')::bigint);

-- Three to five fields, every second widget in two languages.
INSERT INTO widget_versions (widget_id, version, archive_sha256, archive_size, manifest, template, texts, is_lead_source, is_work_with_dp,
  findings, published_by_account_id, published_by_user_id, published_at)
SELECT n, '1.0.' || n % 10, sha256(n::text::bytea), 5000,
  convert_to('{"widget":{"version":"1.0.' || n % 10 || '"},"locations":["settings"]}', 'UTF8'),
  (SELECT json_agg(json_build_object('key', key, 'name', json_build_object('fallback', 'settings.' || key, 'texts',
      CASE WHEN n % 2 = 0 THEN json_build_array(json_build_array('en', en), json_build_array('ru', ru))
        ELSE json_build_array(json_build_array('en', en)) END), 'type', type, 'is_required', is_required) ORDER BY place)
    FROM (VALUES (1, 'login', 'Login of your account', 'Логин учётной записи', 'text', true),
      (2, 'password', 'Password', 'Пароль', 'pass', true),
      (3, 'script_path', 'Address of the script', 'Адрес скрипта', 'text', true),
      (4, 'phones', 'Internal phone numbers of the users', 'Внутренние номера пользователей', 'users', false),
      (5, 'comment', 'What the team should know', 'Что важно знать команде', 'text', false)
    ) AS field (place, key, en, ru, type, is_required) WHERE place <= 3 + n % 3),
  json_build_object(
    'name', json_build_object('fallback', 'widget.name', 'texts', json_build_array(json_build_array('en', 'Widget number ' || n))),
    'description', json_build_object('fallback', 'widget.description', 'texts',
      json_build_array(json_build_array('en', 'It shows what a card of the catalogue needs to know about leads and contacts.'))),
    'short_description', json_build_object('fallback', 'widget.short', 'texts', json_build_array(json_build_array('en', 'Telephony and chats')))),
  false, n % 4 = 0, '[]', 1000 + n % 997, 7, now() - n * interval '1 second'
FROM generate_series(1, current_setting('bench.widgets')::bigint) AS n;

INSERT INTO widget_listings
  (widget_id, is_public, published_at, name_key, rating_tenths, install_count, edition, terms, locations, setting_types)
SELECT n, true, now() - n * interval '1 second', 'widget number ' || n, n * 7919 % 51, 10, 1,
  array_to_tsvector(ARRAY['bench', n::text, 'widget', 'number', ':location=settings', ':public', ':lead_source=false', ':setting_type=pass',
    ':setting_type=text']),
  ARRAY['settings'], ARRAY['text', 'pass']
FROM generate_series(1, current_setting('bench.widgets')::bigint) AS n;

-- Ten installs each; account 1 has twenty, account 2 none, account 3 five hundred.
INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id)
SELECT 1000000 + a, 1 + (a * 7 + k * (current_setting('bench.widgets')::bigint / 10)) % current_setting('bench.widgets')::bigint, '{}', 0, 7
FROM generate_series(1, current_setting('bench.accounts')::bigint) AS a CROSS JOIN generate_series(0, 9) AS k;
INSERT INTO installs (account_id, widget_id, settings, sealed, installed_by_user_id)
SELECT account, 1 + k * (current_setting('bench.widgets')::bigint / most), '{}', 0, 7
FROM (VALUES (1, 20), (3, 500)) AS of (account, most) CROSS JOIN LATERAL generate_series(0, most - 1) AS k;

CREATE INDEX installs_by_widget ON installs (widget_id, account_id);
CREATE INDEX widget_listings_terms ON widget_listings USING gin (terms) WITH (fastupdate = off);
RESET session_replication_role;
