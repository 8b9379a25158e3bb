-- Row-level security: of every tenant table a transaction sees and changes the rows of the account that it has set, and no row when it
-- has set none. The statements name their account all the same; this stands behind them. It binds every role but superusers and those
-- that may bypass it, also the tables' owner.

-- Puts the wall around a tenant table, which must have the column `account_id`.
CREATE FUNCTION wall(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', relation);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', relation);
  -- Where a transaction before it has set the account, the setting is empty afterwards, not unknown.
  EXECUTE format(
    'CREATE POLICY of_account ON %s USING (account_id = nullif(current_setting(''widget_registry.account_id'', true), '''')::bigint)',
    relation);
  EXECUTE format(
    'CREATE POLICY of_all_accounts ON %s USING (current_setting(''widget_registry.all_accounts'', true) = ''on'')', relation);
END
$$;

SELECT wall('installs');
SELECT wall('install_changes');
SELECT wall('ratings');
SELECT wall('continuations');
SELECT wall('idempotency_keys');
SELECT wall('delivery_lanes');
SELECT wall('deliveries');
SELECT wall('delivery_attempts');
SELECT wall('webhook_secrets');
