-- Votes on widgets. A tenant table: its key starts with the account.
CREATE TABLE ratings (
  account_id bigint NOT NULL CONSTRAINT ratings_account_positive CHECK (account_id > 0),
  widget_id bigint NOT NULL,
  user_id bigint NOT NULL CONSTRAINT ratings_user_positive CHECK (user_id > 0),
  stars smallint NOT NULL CONSTRAINT ratings_stars_range CHECK (stars BETWEEN 1 AND 5),
  rated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT ratings_pkey PRIMARY KEY (account_id, widget_id, user_id)
);

SELECT distribute('ratings', 'account_id');

ALTER TABLE ratings ADD CONSTRAINT ratings_widget_fkey FOREIGN KEY (widget_id) REFERENCES widgets;

-- The sum and the number of all votes, kept beside their mean so that a vote is counted without reading the others.
ALTER TABLE widgets
  ADD COLUMN rating_sum bigint NOT NULL DEFAULT 0 CONSTRAINT widgets_rating_sum_range CHECK (rating_sum >= 0),
  ADD COLUMN rating_count bigint NOT NULL DEFAULT 0 CONSTRAINT widgets_rating_count_range CHECK (rating_count >= 0);
