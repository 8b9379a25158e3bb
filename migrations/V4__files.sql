-- The files of published archives, content-addressed: the same bytes are stored once, whatever widget or version they came with.
-- They live in the database, so that one backup has everything and no crash leaves half a version.

CREATE TABLE blobs (
  -- Of the bytes.
  sha256 bytea CONSTRAINT blobs_pkey PRIMARY KEY CONSTRAINT blobs_digest_length CHECK (length(sha256) = 32),
  -- How many there are.
  size bigint NOT NULL CONSTRAINT blobs_size_range CHECK (size >= 0)
);

-- The bytes in pieces of 256 KiB but for the last, so that a file is read and written without ever being in memory whole.
CREATE TABLE blob_chunks (
  sha256 bytea NOT NULL,
  -- From 0.
  position integer NOT NULL CONSTRAINT blob_chunks_position_range CHECK (position >= 0),
  bytes bytea NOT NULL CONSTRAINT blob_chunks_length CHECK (length(bytes) BETWEEN 1 AND 262144),
  CONSTRAINT blob_chunks_pkey PRIMARY KEY (sha256, position)
);
-- Scripts and pictures are small or compressed already; uncompressed they are read without work.
ALTER TABLE blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE version_files (
  widget_id bigint NOT NULL,
  version text COLLATE "C" NOT NULL,
  -- Relative to the archive's root, with slashes.
  path text COLLATE "C" NOT NULL,
  sha256 bytea NOT NULL CONSTRAINT version_files_digest_length CHECK (length(sha256) = 32),
  size bigint NOT NULL CONSTRAINT version_files_size_range CHECK (size >= 0),
  -- Told by the first bytes, not by the name alone.
  media_type text NOT NULL,
  -- Where the bytes are; null for what is never served (server code, secrets, nested archives): those bytes are not kept.
  blob_sha256 bytea,
  CONSTRAINT version_files_pkey PRIMARY KEY (widget_id, version, path),
  CONSTRAINT version_files_blob_is_content CHECK (blob_sha256 = sha256)
);

SELECT replicate('blobs');
SELECT replicate('blob_chunks');
SELECT replicate('version_files');

ALTER TABLE blob_chunks ADD CONSTRAINT blob_chunks_blob_fkey FOREIGN KEY (sha256) REFERENCES blobs;
ALTER TABLE version_files ADD CONSTRAINT version_files_version_fkey
  FOREIGN KEY (widget_id, version) REFERENCES widget_versions (widget_id, version);
ALTER TABLE version_files ADD CONSTRAINT version_files_blob_fkey FOREIGN KEY (blob_sha256) REFERENCES blobs;

-- A yanked version is never current; null while it is not yanked.
ALTER TABLE widget_versions ADD COLUMN yanked_at timestamptz;
CREATE INDEX widget_versions_newest ON widget_versions (widget_id, published_at DESC, version DESC);
-- Whether the current version was chosen by hand: then a higher one does not take over.
ALTER TABLE widgets ADD COLUMN is_pinned boolean NOT NULL DEFAULT false
  CONSTRAINT widgets_pin_needs_version CHECK (NOT is_pinned OR current_version IS NOT NULL);
