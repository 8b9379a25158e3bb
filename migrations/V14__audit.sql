-- The audit log: what people changed, each change written in the transaction that made it. Tenant tables: an entry belongs to the
-- account in which something changed, or whose widget or integration it was. Account 0 is the registry itself, such as its keys.
-- Nothing removes an entry.

-- Where each account's chain ends. Whoever appends an entry moves its head, and so locks it: an account's entries follow one another,
-- and accounts do not wait for each other.
CREATE TABLE audit_heads (
  account_id bigint CONSTRAINT audit_heads_pkey PRIMARY KEY CONSTRAINT audit_heads_account_known CHECK (account_id >= 0),
  -- How many entries there are; the last has this number.
  entries bigint NOT NULL CONSTRAINT audit_heads_entries_positive CHECK (entries > 0),
  -- The hash of the last.
  hash bytea NOT NULL CONSTRAINT audit_heads_hash_length CHECK (length(hash) = 32)
) WITH (fillfactor = 70);

CREATE TABLE audit_entries (
  account_id bigint NOT NULL,
  -- 1, 2, 3… without a gap.
  seq bigint NOT NULL CONSTRAINT audit_entries_seq_positive CHECK (seq > 0),
  -- When the transaction began. It may lie before that of the entry before, by as long as a transaction lasts.
  at timestamptz NOT NULL,
  -- Who: the account, the user and the integration of the token; null where no token was used.
  by_account_id bigint,
  by_user_id bigint,
  by_client_uuid uuid,
  -- The right that was used: a role, a scope, or `cli` for a command on the server's own machine.
  acted_as text COLLATE "C" NOT NULL,
  -- The request, as the log and the answer name it.
  request_id text COLLATE "C",
  -- What was done, such as `widget.installed`, and to what.
  action text COLLATE "C" NOT NULL CONSTRAINT audit_entries_action_pattern CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
  subject text COLLATE "C" NOT NULL,
  -- An object: names of what changed, and values of what is no secret.
  details json NOT NULL,
  -- SHA-256 of the entry; from the second entry on of the hash before and that, one after the other. docs/AUDIT.md says how.
  hash bytea NOT NULL CONSTRAINT audit_entries_hash_length CHECK (length(hash) = 32),
  CONSTRAINT audit_entries_pkey PRIMARY KEY (account_id, seq)
);

SELECT distribute('audit_heads', 'account_id');
SELECT distribute('audit_entries', 'account_id');

SELECT wall('audit_heads');
SELECT wall('audit_entries');
-- The service adds entries, and finds none that it could change or remove.
CREATE POLICY never_changed ON audit_entries AS RESTRICTIVE FOR UPDATE USING (false);
CREATE POLICY never_removed ON audit_entries AS RESTRICTIVE FOR DELETE USING (false);
