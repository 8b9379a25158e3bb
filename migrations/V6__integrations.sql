-- Integrations as their owners set them up. One that a publisher has only claimed by naming its client id has none of this yet.
ALTER TABLE integrations
  -- As people know it.
  ADD COLUMN name text CONSTRAINT integrations_name_length CHECK (length(name) BETWEEN 1 AND 255),
  -- Where OAuth sends its users back to.
  ADD COLUMN redirect_uri text CONSTRAINT integrations_redirect_uri_length CHECK (octet_length(redirect_uri) BETWEEN 1 AND 2048),
  -- What is called when the integration is disabled in an account.
  ADD COLUMN disable_hook text CONSTRAINT integrations_disable_hook_length CHECK (octet_length(disable_hook) BETWEEN 1 AND 2048),
  -- What it signs and is signed with; kept readable, because a digest cannot sign. Null until the first one is made.
  ADD COLUMN secret bytea CONSTRAINT integrations_secret_length CHECK (length(secret) >= 64),
  ADD COLUMN secret_made_at timestamptz,
  -- The secret before, which is valid beside the newest until its time is over.
  ADD COLUMN old_secret bytea CONSTRAINT integrations_old_secret_length CHECK (length(old_secret) >= 64),
  ADD COLUMN old_secret_until timestamptz,
  ADD CONSTRAINT integrations_secret_dated CHECK ((secret IS NULL) = (secret_made_at IS NULL)),
  ADD CONSTRAINT integrations_old_secret_dated CHECK ((old_secret IS NULL) = (old_secret_until IS NULL)),
  ADD CONSTRAINT integrations_old_secret_needs_new CHECK (old_secret IS NULL OR secret IS NOT NULL);
CREATE INDEX integrations_by_owner ON integrations (owner_account_id, owner_user_id, created_at DESC, client_uuid DESC);
