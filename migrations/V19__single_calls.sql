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
