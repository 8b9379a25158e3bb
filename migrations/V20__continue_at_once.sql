-- Ends the waiting of a record with the widget's answer, writes its event and claims the idempotency key, if there is one: all of it or
-- nothing, in one call. Returns what came of it: `continued`; `not_waiting`; `repeated`, when the same request has claimed the key within the
-- last 24 hours; `key_reused`, when another one has. A claim that another transaction has not committed yet is waited for. `is_pushed` tells
-- of one that is continued whether its event is sent to the engine, which otherwise fetches it.
--
-- What the event says besides the record is made before, and given in the parts between which the record's own members stand, as JSON: when
-- the wait ended, the engine's reference, the widget's code, and what the bot works on, by type and number.
--
-- It takes the place of two calls, of which the first looked what waits.
DROP FUNCTION waiting_continuation, continue_bot;
CREATE FUNCTION answer_bot(
  account bigint, kind text, bot bigint, continue_id bigint, by_user bigint, new_data bytea, new_handlers bytea,
  idempotency_key text, digest bytea, lane text, event_kind text, parts bytea[], push_patience bigint, pull_patience bigint
) RETURNS TABLE (outcome text, is_pushed boolean) LANGUAGE plpgsql AS $$
DECLARE
  ended record;
  members text[];
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
      outcome := CASE WHEN EXISTS (SELECT FROM idempotency_keys k
          WHERE k.account_id = account AND k.key = idempotency_key AND k.request_sha256 = digest)
        THEN 'repeated' ELSE 'key_reused' END;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;
  UPDATE continuations c SET state = 'continued', closed_at = now(), closed_by_user_id = by_user, data = new_data,
      execute_handlers = new_handlers
    FROM widgets w
    WHERE c.account_id = account AND c.bot_type = kind AND c.bot_id = bot AND c.id = continue_id
      AND c.state = 'waiting' AND c.expires_at > now() AND w.id = c.widget_id
    RETURNING c.reference, w.code, c.entity_type, c.entity_id, c.callback_url INTO ended;
  IF NOT FOUND THEN
    -- It is free for another request.
    DELETE FROM idempotency_keys k WHERE k.account_id = account AND k.key = idempotency_key;
    outcome := 'not_waiting';
    RETURN NEXT;
    RETURN;
  END IF;
  is_pushed := ended.callback_url IS NOT NULL;
  -- The time as RFC 3339 has it, without zeros at its end.
  members := ARRAY[to_json(rtrim(rtrim(to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z')::text,
    coalesce(to_json(ended.reference)::text, 'null'), to_json(ended.code)::text, to_json(ended.entity_type)::text, ended.entity_id::text];
  PERFORM enqueue(ARRAY[account], ARRAY[CASE WHEN is_pushed THEN 'push' ELSE 'pull' END], ARRAY[lane], ARRAY[event_kind], ARRAY[continue_id],
    ARRAY[ended.callback_url],
    ARRAY[parts[1] || convert_to(members[1], 'UTF8') || parts[2] || convert_to(members[2], 'UTF8') || parts[3] || convert_to(members[3], 'UTF8')
      || parts[4] || convert_to(members[4], 'UTF8') || parts[5] || convert_to(members[5], 'UTF8') || parts[6]],
    ARRAY[CASE WHEN is_pushed THEN push_patience ELSE pull_patience END]);
  outcome := 'continued';
  RETURN NEXT;
END
$$;
