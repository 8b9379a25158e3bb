-- What a request asks of the database in one message. Such a function sets the account for its transaction and does the work, and its
-- statement commits by itself: so it takes one way to the database and back, where BEGIN, the statements and COMMIT take one each.
--
-- Functions have the rights of whoever calls them, so row-level security binds them. They are volatile, as they must be: each statement
-- inside sees what was committed before it. The first parameter is the account, or the accounts, whose rows they touch.

-- Rows of several accounts in one statement: read, and no more, and of installs only.
CREATE POLICY of_accounts ON installs FOR SELECT
  USING (account_id = ANY ((SELECT nullif(current_setting('widget_registry.accounts', true), '')::bigint[])::bigint[]));

-- The next two are planned once, for any number of accounts, else each call would be planned anew. So their plan must be right also when
-- the table was empty at that time: no part of the table may be read that is not asked for. What it is thought to cost is far too much, and compiling it would cost more.

-- What each account has installed, in the order in which the accounts are given. Both arrays are null for one that has nothing.
CREATE OR REPLACE FUNCTION installs_of(accounts bigint[]) RETURNS TABLE (widgets bigint[], pipelines bigint[]) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
  PERFORM set_config('widget_registry.accounts', accounts::text, true);
  -- A range and an order, which only the primary key has: of an empty table the index by widget looks as good for `=`.
  RETURN QUERY SELECT i.widgets, i.pipelines FROM unnest(accounts) WITH ORDINALITY AS q (account, place)
    LEFT JOIN LATERAL (
      SELECT array_agg(o.widget_id) AS widgets, array_agg(o.pipeline_id) AS pipelines FROM (
        SELECT n.widget_id, n.pipeline_id FROM installs n WHERE n.account_id BETWEEN q.account AND q.account
        ORDER BY n.account_id, n.widget_id) AS o
    ) AS i ON true ORDER BY q.place;
  PERFORM set_config('widget_registry.accounts', '', true);
END
$$;

-- Whether each account has the widget at the same place installed, and the pipeline in which it is a lead source.
CREATE OR REPLACE FUNCTION installs_at(accounts bigint[], widgets bigint[]) RETURNS TABLE (is_installed boolean, pipeline bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off AS $$
BEGIN
  PERFORM set_config('widget_registry.accounts', accounts::text, true);
  -- LIMIT, so that it is looked up account by account, and never joined as a whole.
  RETURN QUERY SELECT coalesce(i.is_there, false), i.pipeline_id FROM unnest(accounts, widgets) WITH ORDINALITY AS q (account, widget, place)
    LEFT JOIN LATERAL (
      SELECT true AS is_there, o.pipeline_id FROM installs o WHERE o.account_id = q.account AND o.widget_id = q.widget LIMIT 1
    ) AS i ON true ORDER BY q.place;
  PERFORM set_config('widget_registry.accounts', '', true);
END
$$;

-- A widget by its code as a user of an account sees it, with the account's install of it; no row when they do not see it. By which rule they
-- do also stands in `install_widget` below, with a lock, and in the program (`sight!`), as one rule for all its statements.
CREATE FUNCTION widget_seen_by(account bigint, viewer bigint, widget_code text) RETURNS TABLE (
  id bigint, code text, rating_tenths smallint, is_crm_template boolean, client_uuid uuid, version text, template text, is_lead_source boolean,
  is_work_with_dp boolean, is_installed boolean, pipeline_id bigint, settings text, sealed integer
) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  RETURN QUERY SELECT w.id, w.code, w.rating_tenths, w.is_crm_template, w.client_uuid, v.version, v.template::text, v.is_lead_source,
      v.is_work_with_dp, i.account_id IS NOT NULL, i.pipeline_id, i.settings::text, i.sealed
    FROM widgets w
    JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version
    LEFT JOIN installs i ON i.account_id = account AND i.widget_id = w.id
    WHERE w.code = widget_code AND CASE
      WHEN w.deleted_at IS NOT NULL THEN false
      WHEN w.visibility = 'public' THEN true
      WHEN w.owner_account_id = account AND w.owner_user_id = viewer THEN true
      ELSE i.account_id IS NOT NULL END;
END
$$;

-- Appends an entry to the audit log of each of these accounts, for a transaction that has set them, or all. The entries say the same of each.
--
-- Appending locks the chain's head until the transaction ends, so after it nothing is waited for that others hold: then nobody waits in a
-- circle. Who appends to several chains in one transaction excludes others who do, as deletion by force does.
CREATE FUNCTION append_audit(
  accounts bigint[], by_account bigint, by_user bigint, by_client uuid, acted_as text, request text, action text, subject text, details json
) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  WITH head AS (
    INSERT INTO audit_heads AS h (account_id, entries, hash)
    SELECT c.account, 1, sha256(convert_to(json_build_array(c.account, (extract(epoch FROM now()) * 1000000)::bigint,
      by_account, by_user, by_client, acted_as, request, action, subject, details)::text, 'UTF8'))
    FROM unnest(accounts) AS c (account) ORDER BY c.account
    ON CONFLICT ON CONSTRAINT audit_heads_pkey
    DO UPDATE SET entries = h.entries + 1, hash = sha256(h.hash || excluded.hash)
    RETURNING h.account_id, h.entries, h.hash
  )
  INSERT INTO audit_entries (account_id, seq, at, by_account_id, by_user_id, by_client_uuid, acted_as, request_id, action, subject, details, hash)
  SELECT h.account_id, h.entries, now(), by_account, by_user, by_client, acted_as, request, action, subject, details, h.hash FROM head h;
END
$$;

-- Installs a widget that the installer sees, or replaces the settings of an install. Returns the install's pipeline; no row when the
-- installer does not see the widget any more.
--
-- Visibility is judged in the statement that installs, under two locks: one that whoever hides a widget has to wait for (`FOR UPDATE`;
-- publishing, which hides nothing, takes a weaker one and waits for nobody), and one that an uninstall has to wait for: otherwise an
-- install could bring back a widget that only the install just removed had shown. The rule is that of `widget_seen_by`. A row that was
-- inserted and not replaced, which nobody has locked yet (`xmax` is 0), is one more install of the widget, and is noted as that.
CREATE FUNCTION install_widget(
  account bigint, installer bigint, widget bigint, new_settings json, new_sealed integer,
  by_account bigint, by_user bigint, by_client uuid, acted_as text, request text, new_action text, again_action text, subject text, details json
) RETURNS TABLE (pipeline bigint) LANGUAGE plpgsql AS $$
DECLARE
  is_new boolean;
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  INSERT INTO installs AS i (account_id, widget_id, settings, sealed, installed_by_user_id)
    SELECT account, w.id, new_settings, new_sealed, installer FROM widgets w
    WHERE w.id = widget AND CASE
      WHEN w.deleted_at IS NOT NULL THEN false
      WHEN w.visibility = 'public' THEN true
      WHEN w.owner_account_id = account AND w.owner_user_id = installer THEN true
      ELSE EXISTS (SELECT FROM installs o WHERE o.account_id = account AND o.widget_id = w.id FOR UPDATE) END
    FOR KEY SHARE OF w
    ON CONFLICT ON CONSTRAINT installs_pkey
    DO UPDATE SET settings = excluded.settings, sealed = excluded.sealed, updated_at = excluded.updated_at
    RETURNING i.pipeline_id, i.xmax = 0 INTO pipeline, is_new;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF is_new THEN
    INSERT INTO install_changes (account_id, widget_id, change) VALUES (account, widget, 1);
  END IF;
  PERFORM append_audit(ARRAY[account], by_account, by_user, by_client, acted_as, request,
    CASE WHEN is_new THEN new_action ELSE again_action END, subject, details);
  RETURN NEXT;
END
$$;

-- Removes an install with its settings, and notes that the widget has one install less; returns the widget, null when it was not installed.
CREATE FUNCTION uninstall_widget(
  account bigint, widget_code text,
  by_account bigint, by_user bigint, by_client uuid, acted_as text, request text, action text, subject text, details json
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  widget bigint;
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  DELETE FROM installs i USING widgets w WHERE i.account_id = account AND i.widget_id = w.id AND w.code = widget_code
    RETURNING i.widget_id INTO widget;
  IF FOUND THEN
    INSERT INTO install_changes (account_id, widget_id, change) VALUES (account, widget, -1);
    PERFORM append_audit(ARRAY[account], by_account, by_user, by_client, acted_as, request, action, subject, details);
  END IF;
  RETURN widget;
END
$$;

-- Sets the pipeline in which an installed widget is a lead source; null clears it, also when the current version can be none any more.
-- Returns whether the widget is installed, and its number when it was set.
CREATE FUNCTION set_lead_source(
  account bigint, widget_code text, new_pipeline bigint,
  by_account bigint, by_user bigint, by_client uuid, acted_as text, request text, action text, subject text, details json
) RETURNS TABLE (is_installed boolean, widget bigint) LANGUAGE plpgsql AS $$
DECLARE
  found_widget bigint;
  is_possible boolean;
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  SELECT w.id, v.is_lead_source INTO found_widget, is_possible FROM widgets w
    JOIN widget_versions v ON v.widget_id = w.id AND v.version = w.current_version
    JOIN installs i ON i.account_id = account AND i.widget_id = w.id WHERE w.code = widget_code;
  is_installed := FOUND;
  IF is_possible OR new_pipeline IS NULL THEN
    UPDATE installs i SET pipeline_id = new_pipeline, updated_at = now() WHERE i.account_id = account AND i.widget_id = found_widget
      RETURNING i.widget_id INTO widget;
    -- It may have been uninstalled since.
    is_installed := FOUND;
    IF FOUND THEN
      PERFORM append_audit(ARRAY[account], by_account, by_user, by_client, acted_as, request, action, subject, details);
    END IF;
  END IF;
  RETURN NEXT;
END
$$;

-- Removes a widget from every account, has that counted, and tells every account so in its audit log, in the order of accounts; for a
-- transaction that sees all of them.
CREATE FUNCTION uninstall_everywhere(
  widget bigint, by_account bigint, by_user bigint, by_client uuid, acted_as text, request text, action text, subject text, details json
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  accounts bigint[];
BEGIN
  WITH removed AS (DELETE FROM installs i WHERE i.widget_id = widget RETURNING i.account_id)
    SELECT array_agg(r.account_id) INTO accounts FROM removed r;
  INSERT INTO install_changes (account_id, widget_id, change) SELECT a.account, widget, -1 FROM unnest(accounts) AS a (account);
  PERFORM append_audit(accounts, by_account, by_user, by_client, acted_as, request, action, subject, details);
END
$$;

-- Writes events, in their order, into the transaction of what they tell; it has set their accounts, or all. Locks their lanes first, always
-- in the same order, and says that their heads are due unless one is there already: in a statement of its own, so that what the next one
-- sees and numbers comes after every event that was accepted before. By indexes alone, for the foreign key is checked by a plan, too, that a
-- session keeps from when there were hardly any lanes.
CREATE FUNCTION enqueue(
  accounts bigint[], ways text[], lanes text[], kinds text[], subjects bigint[], addresses text[], payloads bytea[], patience bigint[]
) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
  INSERT INTO delivery_lanes AS l (account_id, way, lane, head_at)
    SELECT DISTINCT e.account_id, e.way, e.lane, now() FROM unnest(accounts, ways, lanes) AS e (account_id, way, lane) ORDER BY 1, 2, 3
    ON CONFLICT ON CONSTRAINT delivery_lanes_pkey DO UPDATE SET head_at = excluded.head_at WHERE l.head_at IS NULL;
  INSERT INTO deliveries (account_id, way, lane, kind, subject_id, address, payload, give_up_at)
    SELECT e.account_id, e.way, e.lane, e.kind, e.subject_id, e.address, e.payload, now() + make_interval(secs => e.patience)
    FROM unnest(accounts, ways, lanes, kinds, subjects, addresses, payloads, patience)
      WITH ORDINALITY AS e (account_id, way, lane, kind, subject_id, address, payload, patience, place) ORDER BY e.place;
END
$$;

-- A record at which a bot waits, and the database's time; what is of the record is null when none waits there. With an idempotency key also
-- the digest of the request that has claimed it within the last 24 hours, from the same moment: who finds that the record does not wait any
-- more finds the key that was claimed with its end.
CREATE FUNCTION waiting_continuation(account bigint, kind text, bot bigint, continue_id bigint, idempotency_key text) RETURNS TABLE (
  claimed_by bytea, code text, entity_type text, entity_id bigint, reference text, callback_url text, seen_at timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  RETURN QUERY SELECT
      (SELECT k.request_sha256 FROM idempotency_keys k
        WHERE k.account_id = account AND k.key = idempotency_key AND k.created_at > now() - interval '24 hours'),
      c.code, c.entity_type, c.entity_id, c.reference, c.callback_url, now()
    FROM (SELECT) AS one LEFT JOIN (
      SELECT w.code, r.entity_type, r.entity_id, r.reference, r.callback_url FROM continuations r JOIN widgets w ON w.id = r.widget_id
      WHERE r.account_id = account AND r.bot_type = kind AND r.bot_id = bot AND r.id = continue_id
        AND r.state = 'waiting' AND r.expires_at > now()
    ) AS c ON true;
END
$$;

-- Ends the waiting of a record with the widget's answer, writes its event and claims the idempotency key, if there is one: all of it or
-- nothing. Returns what came of it: `continued`; `not_waiting`; `repeated`, when the same request has claimed the key within the last 24 hours;
-- `key_reused`, when another one has. A claim that another transaction has not committed yet is waited for.
CREATE FUNCTION continue_bot(
  account bigint, kind text, bot bigint, continue_id bigint, continued_at timestamptz, by_user bigint, new_data bytea, new_handlers bytea,
  idempotency_key text, digest bytea,
  way text, lane text, event_kind text, address text, payload bytea, patience bigint
) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('widget_registry.account_id', account::text, true);
  IF idempotency_key IS NOT NULL THEN
    -- Some that are older than 24 hours, so that the table does not grow for ever. Not a subquery, which some plans ask again for each key,
    -- and then it finds ten others.
    WITH old AS (SELECT o.key FROM idempotency_keys o
        WHERE o.account_id = account AND o.created_at <= now() - interval '24 hours' ORDER BY o.created_at LIMIT 10 FOR UPDATE SKIP LOCKED)
      DELETE FROM idempotency_keys k USING old WHERE k.account_id = account AND k.key = old.key;
    INSERT INTO idempotency_keys AS k (account_id, key, request_sha256) VALUES (account, idempotency_key, digest)
      ON CONFLICT ON CONSTRAINT idempotency_keys_pkey
      DO UPDATE SET request_sha256 = excluded.request_sha256, created_at = excluded.created_at
      WHERE k.created_at <= excluded.created_at - interval '24 hours';
    IF NOT FOUND THEN
      RETURN CASE WHEN EXISTS (SELECT FROM idempotency_keys k
          WHERE k.account_id = account AND k.key = idempotency_key AND k.request_sha256 = digest)
        THEN 'repeated' ELSE 'key_reused' END;
    END IF;
  END IF;
  UPDATE continuations c SET state = 'continued', closed_at = continued_at, closed_by_user_id = by_user, data = new_data,
      execute_handlers = new_handlers
    WHERE c.account_id = account AND c.bot_type = kind AND c.bot_id = bot AND c.id = continue_id
      AND c.state = 'waiting' AND c.expires_at > now();
  IF NOT FOUND THEN
    -- It is free for another request.
    DELETE FROM idempotency_keys k WHERE k.account_id = account AND k.key = idempotency_key;
    RETURN 'not_waiting';
  END IF;
  PERFORM enqueue(ARRAY[account], ARRAY[way], ARRAY[lane], ARRAY[event_kind], ARRAY[continue_id], ARRAY[address], ARRAY[payload], ARRAY[patience]);
  RETURN 'continued';
END
$$;
