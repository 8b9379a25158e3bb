-- Refresh tokens of integrations. A family is what became of one grant: each use replaces the token by its successor.
CREATE TABLE refresh_families (
  account_id bigint NOT NULL CONSTRAINT refresh_families_account_positive CHECK (account_id > 0),
  -- Stands in the text of each of its tokens.
  id uuid NOT NULL,
  client_uuid uuid NOT NULL,
  -- The user in whose name its access tokens act.
  user_id bigint NOT NULL CONSTRAINT refresh_families_user_positive CHECK (user_id > 0),
  -- `owner`: it acts as the integration's owner; `install`: as the administrator who installed a widget of the integration.
  basis text COLLATE "C" NOT NULL CONSTRAINT refresh_families_basis_known CHECK (basis IN ('owner', 'install')),
  -- Of the integration's secret with which the family was begun; it ends with that secret.
  secret_sha256 bytea NOT NULL CONSTRAINT refresh_families_secret_length CHECK (length(secret_sha256) = 32),
  -- Of the token that is good for the next use. The token itself is stored nowhere.
  token_sha256 bytea NOT NULL CONSTRAINT refresh_families_token_length CHECK (length(token_sha256) = 32),
  -- Of the one before, to tell a client that sent it twice from somebody who has found it.
  previous_sha256 bytea CONSTRAINT refresh_families_previous_length CHECK (length(previous_sha256) = 32),
  started_at timestamptz NOT NULL DEFAULT now(),
  -- When the token was replaced last.
  rotated_at timestamptz,
  expires_at timestamptz NOT NULL,
  CONSTRAINT refresh_families_pkey PRIMARY KEY (account_id, id)
);
SELECT distribute('refresh_families', 'account_id');
ALTER TABLE refresh_families ADD CONSTRAINT refresh_families_client_fkey FOREIGN KEY (client_uuid) REFERENCES integrations;
CREATE INDEX refresh_families_of_client ON refresh_families (account_id, client_uuid, started_at);
CREATE INDEX refresh_families_by_end ON refresh_families (expires_at);

SELECT wall('refresh_families');
