-- What has changed of the catalogue, so that servers that keep it in memory read only that anew. A transaction adds a row here for every
-- widget that it changes the v4 API's view of, and touches no row that another transaction touches.

-- On a distributed database it stays where statements come in, for numbers of transactions mean something only there.
CREATE TABLE catalogue_changes (
  -- The transaction that made the change. A reader asks for those that had not ended when it looked last and have ended now, so it misses
  -- none, however long one took from its beginning to its end.
  transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
  widget_id bigint NOT NULL,
  -- When the row was written, not when its transaction began: rows are removed a while after, and must be there for everybody to read.
  made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT catalogue_changes_pkey PRIMARY KEY (transaction, widget_id)
);
CREATE INDEX catalogue_changes_age ON catalogue_changes (made_at);
