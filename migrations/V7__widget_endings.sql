-- How a widget passes from its owner's hands: given to another one, deprecated, deleted.
ALTER TABLE widgets
  -- Since when its owner advises against it; installs go on.
  ADD COLUMN deprecated_at timestamptz,
  -- The widget to take instead; shown only while it exists and is public or of the same owner.
  ADD COLUMN replacement_id bigint CONSTRAINT widgets_replacement_fkey REFERENCES widgets,
  -- What the owner says about it.
  ADD COLUMN deprecation_message text CONSTRAINT widgets_deprecation_message_length CHECK (length(deprecation_message) BETWEEN 1 AND 500),
  -- When it was deleted. The row stays: it keeps the code for its former owner, and the records of bots that waited for it.
  ADD COLUMN deleted_at timestamptz,
  ADD CONSTRAINT widgets_replacement_is_another CHECK (replacement_id <> id),
  ADD CONSTRAINT widgets_deprecation_dated CHECK (deprecated_at IS NOT NULL OR (replacement_id IS NULL AND deprecation_message IS NULL)),
  -- So whatever asks for a current version, an install or a vote finds none. What asks for less must ask for `deleted_at` too.
  ADD CONSTRAINT widgets_deleted_is_empty CHECK (deleted_at IS NULL OR (visibility = 'private' AND current_version IS NULL
    AND client_uuid IS NULL AND rating_count = 0 AND deprecated_at IS NULL));
-- The widgets of an integration: asked when one of them gets another owner.
CREATE INDEX widgets_by_client ON widgets (client_uuid) WHERE client_uuid IS NOT NULL;
-- Whether a blob is still in use, and the votes on a widget: asked when a widget is deleted.
CREATE INDEX version_files_by_blob ON version_files (blob_sha256) WHERE blob_sha256 IS NOT NULL;
CREATE INDEX ratings_by_widget ON ratings (widget_id);
