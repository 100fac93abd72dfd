-- An account whose commits are refused again and again has its repository fetched so often, and no more often; and the queue gives those that
-- have failed before apart from the others without looking at both.

ALTER TABLE repo ADD COLUMN no_resync_before timestamptz;

DROP INDEX resync_due;
CREATE INDEX resync_due ON resync (least(failures, 1), due_at);
