-- Live commits that are ahead of a repository are kept up to a number: past it only the last one stays, as a mark.

ALTER TABLE ahead_commit ADD COLUMN is_cut boolean NOT NULL DEFAULT false;
