-- By which starter pack an account joined. Null of what was loaded before, until it is extracted anew.

ALTER TABLE profile ADD COLUMN pack_actor bigint;
ALTER TABLE profile ADD COLUMN pack_rkey bigint;
