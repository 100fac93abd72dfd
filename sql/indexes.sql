-- Constraints and indexes of the record tables, built once by the asset warehouse_indexes after the first bulk load, and kept ever after.
-- Each statement stands alone and ends with a semicolon at the end of a line; the name is the index's identity.

-- Keys: every record once.
CREATE UNIQUE INDEX IF NOT EXISTS like_key ON "like" (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS repost_key ON repost (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS follow_key ON follow (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS block_key ON block (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS post_key ON post (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS profile_key ON profile (actor_id);
CREATE UNIQUE INDEX IF NOT EXISTS list_key ON list (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS list_item_key ON list_item (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS list_block_key ON list_block (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS starter_pack_key ON starter_pack (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS verification_key ON verification (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS generator_key ON generator (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS labeler_key ON labeler (actor_id);
CREATE UNIQUE INDEX IF NOT EXISTS threadgate_key ON threadgate (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS postgate_key ON postgate (actor_id, rkey);
CREATE UNIQUE INDEX IF NOT EXISTS record_key_of_record ON record (actor_id, collection, rkey);

-- Who liked, reposted, quoted, answered a post: by account within a subject, so that the first of several likes is found at once.
-- Apart for posts and for anything else, so that counts of posts are read from the index alone.
CREATE INDEX IF NOT EXISTS like_post ON "like" (subject_actor, subject_rkey, actor_id) WHERE subject_collection = 1;
CREATE INDEX IF NOT EXISTS like_record ON "like" (subject_actor, subject_collection, subject_rkey, actor_id) WHERE subject_collection <> 1;
CREATE INDEX IF NOT EXISTS repost_post ON repost (subject_actor, subject_rkey, actor_id) WHERE subject_collection = 1;
CREATE INDEX IF NOT EXISTS repost_record ON repost (subject_actor, subject_collection, subject_rkey, actor_id) WHERE subject_collection <> 1;
CREATE INDEX IF NOT EXISTS post_root ON post (reply_root_actor, reply_root_rkey) WHERE reply_root_actor IS NOT NULL;
-- By account, too: what an author goes on with is found among all replies to a post.
CREATE INDEX IF NOT EXISTS post_parent ON post (reply_parent_actor, reply_parent_rkey, actor_id) WHERE reply_parent_actor IS NOT NULL;
CREATE INDEX IF NOT EXISTS post_quote ON post (quote_actor, quote_rkey, (least(created_at, indexed_at)) DESC) WHERE quote_collection = 1;

-- Feeds and graphs of an account, newest first.
CREATE INDEX IF NOT EXISTS post_author ON post (actor_id, (least(created_at, indexed_at)) DESC, rkey DESC);
CREATE INDEX IF NOT EXISTS repost_author ON repost (actor_id, (least(created_at, indexed_at)) DESC, rkey DESC);
-- Those of follows leave the few of one moment to be sorted: 8 bytes less for each.
CREATE INDEX IF NOT EXISTS follow_author ON follow (actor_id, (least(created_at, indexed_at)) DESC);
CREATE INDEX IF NOT EXISTS follow_subject ON follow (subject_actor, (least(created_at, indexed_at)) DESC);
-- Who follows whom: an account that follows another twice is one follower, by its first follow.
CREATE INDEX IF NOT EXISTS follow_pair ON follow (subject_actor, actor_id);
CREATE INDEX IF NOT EXISTS block_subject ON block (subject_actor, actor_id);

-- Lists: their members, newest first; where an account is listed, whether it is on one list, and by whom a list is blocked.
CREATE INDEX IF NOT EXISTS list_item_list ON list_item (actor_id, list_rkey, (least(created_at, indexed_at)) DESC, rkey DESC);
CREATE INDEX IF NOT EXISTS list_item_subject ON list_item (subject_actor, actor_id, list_rkey);
CREATE INDEX IF NOT EXISTS list_block_subject ON list_block (subject_actor, subject_rkey, actor_id) WHERE subject_actor IS NOT NULL;
CREATE INDEX IF NOT EXISTS starter_pack_list ON starter_pack (list_actor, list_rkey) WHERE list_actor IS NOT NULL;
-- Who joined by a starter pack, and of those the ones of the last days.
CREATE INDEX IF NOT EXISTS profile_pack ON profile (pack_actor, pack_rkey, created_at) WHERE pack_actor IS NOT NULL;
CREATE INDEX IF NOT EXISTS verification_subject ON verification (subject_actor, actor_id);

-- What an account made for others, newest first.
CREATE INDEX IF NOT EXISTS list_author ON list (actor_id, (least(created_at, indexed_at)) DESC, rkey DESC);
CREATE INDEX IF NOT EXISTS starter_pack_author ON starter_pack (actor_id, (least(created_at, indexed_at)) DESC, rkey DESC);
CREATE INDEX IF NOT EXISTS generator_author ON generator (actor_id, (least(created_at, indexed_at)) DESC, rkey DESC);

-- Handles to accounts.
CREATE INDEX IF NOT EXISTS identity_handle ON identity (handle);
-- Handles to be looked at next.
CREATE INDEX IF NOT EXISTS identity_handle_due ON identity (handle_check_at) WHERE handle IS NOT NULL;

-- Repositories of a shard, for accounting and retries.
CREATE INDEX IF NOT EXISTS repo_shard ON repo (shard);
