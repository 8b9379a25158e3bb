-- Tokens that were taken back before their end. Times of tokens are those of the service's clock, as the tokens' own are.
CREATE TABLE revocations (
  account_id bigint NOT NULL CONSTRAINT revocations_account_positive CHECK (account_id > 0),
  -- `token`: the one with this `jti`; `user`: all of this user; `client`: all that were given to this integration.
  kind text COLLATE "C" NOT NULL CONSTRAINT revocations_kind_known CHECK (kind IN ('token', 'user', 'client')),
  -- The `jti`, the user's number, or the client id.
  subject text COLLATE "C" NOT NULL CONSTRAINT revocations_subject_length CHECK (length(subject) BETWEEN 1 AND 255),
  -- The value of the mark when this was written: servers read what is newer than what they know.
  version bigint NOT NULL,
  -- Tokens that were issued by then are revoked.
  issued_until timestamptz NOT NULL,
  -- By then the last of them has expired, and the row is removed.
  kept_until timestamptz NOT NULL,
  -- What people said about it.
  reason text CONSTRAINT revocations_reason_length CHECK (length(reason) BETWEEN 1 AND 255),
  -- Who did it; an operator is of another account.
  revoked_by_account_id bigint NOT NULL,
  revoked_by_user_id bigint NOT NULL,
  CONSTRAINT revocations_pkey PRIMARY KEY (account_id, kind, subject)
);
SELECT distribute('revocations', 'account_id');
CREATE INDEX revocations_by_version ON revocations (version);
CREATE INDEX revocations_of_account ON revocations (account_id, version DESC);
CREATE INDEX revocations_by_end ON revocations (kept_until);

-- One row, which every revocation changes: so revocations are written one after the other, and whoever has seen a version has seen
-- all before it.
CREATE TABLE revocation_mark (
  id smallint CONSTRAINT revocation_mark_pkey PRIMARY KEY CONSTRAINT revocation_mark_single CHECK (id = 1),
  version bigint NOT NULL
);
INSERT INTO revocation_mark (id, version) VALUES (1, 0);
SELECT replicate('revocation_mark');

SELECT wall('revocations');
