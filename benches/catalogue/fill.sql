-- Fills the catalogue with the widgets of numbers $1 to $2, in about the shape that publishing gives them; nine of ten are public.
-- The word `widget` is in all of them, `branch0` to `branch19` and `слово0` to `слово49` each in its part, `number7` only in the seventh.
WITH numbered AS (
  SELECT n, 'bench_' || n AS code, 'Widget number' || n AS name,
    'A widget of branch' || n % 20 || ' for telephony and chats' AS short,
    repeat('It shows what a card of the catalogue needs to know about leads and contacts. ', 4) || 'слово' || n % 50 AS long
  FROM generate_series($1::bigint, $2::bigint) AS n
), widgets AS (
  INSERT INTO widgets (code, owner_account_id, owner_user_id, visibility, rating_tenths, rating_sum, rating_count, current_version, created_at)
  SELECT code, 1000 + n % 997, 7, CASE WHEN n % 10 = 0 THEN 'private' ELSE 'public' END,
    n * 7919 % 51, n * 7919 % 51, CASE WHEN n * 7919 % 51 = 0 THEN 0 ELSE 10 END, '1.0.' || n % 10, now() - n * interval '1 minute'
  FROM numbered RETURNING id, code, visibility, rating_tenths, current_version, created_at
), versions AS (
  INSERT INTO widget_versions (widget_id, version, archive_sha256, archive_size, manifest, template, texts, is_lead_source, is_work_with_dp,
    findings, published_by_account_id, published_by_user_id, published_at)
  SELECT w.id, w.current_version, sha256(w.code::bytea), 5000,
    convert_to(json_build_object('widget', json_build_object('version', w.current_version), 'locations',
      CASE WHEN n.n % 4 = 0 THEN '["settings","lcard-1","digital_pipeline"]'::json ELSE '["settings"]'::json END)::text, 'UTF8'),
    json_build_array(json_build_object('key', 'login', 'name', json_build_object('fallback', 'settings.login', 'texts',
      json_build_array(json_build_array('en', 'Login'))), 'type', CASE WHEN n.n % 5 = 1 THEN 'pass' ELSE 'text' END, 'is_required', true)),
    json_build_object(
      'name', json_build_object('fallback', 'widget.name', 'texts', json_build_array(json_build_array('en', n.name))),
      'description', json_build_object('fallback', 'widget.description', 'texts', json_build_array(json_build_array('en', n.long))),
      'short_description', json_build_object('fallback', 'widget.short', 'texts', json_build_array(json_build_array('en', n.short)))),
    false, n.n % 4 = 0, '[]', 1, 7, w.created_at
  FROM widgets w JOIN numbered n ON n.code = w.code
)
INSERT INTO widget_listings
  (widget_id, is_public, published_at, name_key, rating_tenths, install_count, edition, terms, locations, setting_types)
SELECT w.id, w.visibility = 'public', w.created_at, lower(n.name), w.rating_tenths, n.n * 104729 % 1000, 1,
  array_to_tsvector(regexp_split_to_array(lower(replace(n.code, '_', ' ') || ' ' || n.name || ' ' || n.short || ' ' || rtrim(replace(n.long, '.', ''))), ' +')
    || CASE WHEN n.n % 4 = 0
      THEN ARRAY[':location=settings', ':location=lcard-1', ':location=lcard', ':location=digital_pipeline', ':dp=true']
      ELSE ARRAY[':location=settings', ':dp=false'] END
    || CASE WHEN w.visibility = 'public' THEN ARRAY[':public'] ELSE ARRAY[]::text[] END
    || ARRAY[':lead_source=false', CASE WHEN n.n % 5 = 1 THEN ':setting_type=pass' ELSE ':setting_type=text' END]),
  CASE WHEN n.n % 4 = 0 THEN ARRAY['settings', 'lcard-1', 'digital_pipeline'] ELSE ARRAY['settings'] END,
  CASE WHEN n.n % 5 = 1 THEN ARRAY['pass'] ELSE ARRAY['text'] END
FROM widgets w JOIN numbered n ON n.code = w.code
