-- A widget in an account. A tenant table: its key starts with the account, so that it can be distributed by it.
CREATE TABLE installs (
  account_id bigint NOT NULL CONSTRAINT installs_account_positive CHECK (account_id > 0),
  widget_id bigint NOT NULL,
  -- The settings as the install request gave them, field by field in the template's order. `json`, not `jsonb`: numbers and
  -- order inside `custom` values come back as they came in.
  settings json NOT NULL,
  -- The pipeline in which the widget is a lead source; null when in none.
  pipeline_id bigint CONSTRAINT installs_pipeline_positive CHECK (pipeline_id > 0),
  -- The administrator who installed it first.
  installed_by_user_id bigint NOT NULL,
  installed_at timestamptz NOT NULL DEFAULT now(),
  -- When settings or lead source changed last.
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT installs_pkey PRIMARY KEY (account_id, widget_id)
);

SELECT distribute('installs', 'account_id');

ALTER TABLE installs ADD CONSTRAINT installs_widget_fkey FOREIGN KEY (widget_id) REFERENCES widgets;
-- Who has this widget installed: asked when a widget is to be hidden or removed.
CREATE INDEX installs_by_widget ON installs (widget_id, account_id);
