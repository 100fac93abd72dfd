-- Which version of extraction made what was loaded: rows of another version are compared again though no rev is newer.

ALTER TABLE load ADD COLUMN version integer NOT NULL DEFAULT 0;
