-- The packed forms of files that are text: made once, when a blob's bytes are stored, so that serving them costs nothing. A blob has
-- them when they pay; those that were stored before have none. Never changed, as the blob is not.
CREATE TABLE blob_forms (
  -- The blob whose bytes come of unpacking it.
  sha256 bytea NOT NULL,
  -- As `Content-Encoding` has it.
  encoding text COLLATE "C" NOT NULL CONSTRAINT blob_forms_encoding_known CHECK (encoding IN ('br', 'gzip')),
  -- Bytes of the packed form.
  size bigint NOT NULL CONSTRAINT blob_forms_size_positive CHECK (size > 0),
  CONSTRAINT blob_forms_pkey PRIMARY KEY (sha256, encoding)
);

-- The bytes in pieces of 256 KiB but for the last. They are written before their form's row, which knows how many they are.
CREATE TABLE blob_form_chunks (
  sha256 bytea NOT NULL,
  encoding text COLLATE "C" NOT NULL,
  -- From 0.
  position integer NOT NULL CONSTRAINT blob_form_chunks_position_range CHECK (position >= 0),
  bytes bytea NOT NULL CONSTRAINT blob_form_chunks_length CHECK (length(bytes) BETWEEN 1 AND 262144),
  CONSTRAINT blob_form_chunks_pkey PRIMARY KEY (sha256, encoding, position)
);
ALTER TABLE blob_form_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

SELECT replicate('blob_forms');
SELECT replicate('blob_form_chunks');

ALTER TABLE blob_forms ADD CONSTRAINT blob_forms_blob_fkey FOREIGN KEY (sha256) REFERENCES blobs;
ALTER TABLE blob_form_chunks ADD CONSTRAINT blob_form_chunks_blob_fkey FOREIGN KEY (sha256) REFERENCES blobs;
