-- Smaller: texts of dictionaries are found by their keys, which are made of them, so that they need no index of their own; and indexes of
-- follows that only order or find rows hold no record key. The asset warehouse_indexes builds the new ones.

ALTER TABLE actor DROP CONSTRAINT actor_did_key;
ALTER TABLE record_key DROP CONSTRAINT record_key_text_key;

DROP INDEX IF EXISTS follow_author, follow_subject, follow_pair;
