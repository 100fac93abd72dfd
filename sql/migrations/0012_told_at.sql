-- What events say of an account has a time of its own: it is no fetch.

ALTER TABLE repo ADD COLUMN told_at timestamptz;
