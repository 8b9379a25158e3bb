-- Reads of several accounts in one statement. Each account is set before its rows are read, so row-level security stands behind these
-- as behind every other statement, and nothing is set any more when they end.

-- What each account has installed, in the order in which the accounts are given. Both arrays are null for one that has nothing.
CREATE FUNCTION installs_of(accounts bigint[]) RETURNS TABLE (widgets bigint[], pipelines bigint[]) LANGUAGE plpgsql AS $$
DECLARE
  account bigint;
BEGIN
  FOREACH account IN ARRAY accounts LOOP
    PERFORM set_config('widget_registry.account_id', account::text, true);
    SELECT array_agg(i.widget_id), array_agg(i.pipeline_id) INTO widgets, pipelines FROM installs i WHERE i.account_id = account;
    RETURN NEXT;
  END LOOP;
  PERFORM set_config('widget_registry.account_id', '', true);
END
$$;

-- Whether each account has the widget at the same place installed, and the pipeline in which it is a lead source.
CREATE FUNCTION installs_at(accounts bigint[], widgets bigint[]) RETURNS TABLE (is_installed boolean, pipeline bigint) LANGUAGE plpgsql AS $$
DECLARE
  place int;
BEGIN
  FOR place IN 1 .. cardinality(accounts) LOOP
    PERFORM set_config('widget_registry.account_id', accounts[place]::text, true);
    SELECT true, i.pipeline_id INTO is_installed, pipeline FROM installs i
      WHERE i.account_id = accounts[place] AND i.widget_id = widgets[place];
    is_installed := FOUND;
    RETURN NEXT;
  END LOOP;
  PERFORM set_config('widget_registry.account_id', '', true);
END
$$;
