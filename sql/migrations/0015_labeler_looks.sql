-- How a labeler fares is as of when it was last looked at.

ALTER TABLE labeler_state ADD COLUMN looked_at timestamptz;
