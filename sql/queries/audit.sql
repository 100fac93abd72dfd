-- What is needed to give a repository back byte for byte: its commit, and each table's rows with their texts looked up.
-- %(actors)s is an array of actor ids.

-- name: held_repositories
-- The signed commits of repositories that are wholly held.
SELECT r.actor_id, a.did, r.commit, r.records
FROM repo r JOIN actor a ON a.id = r.actor_id
WHERE r.actor_id = ANY(%(actors)s) AND r.state = 'synchronized';

-- name: count_held_repositories
-- How many repositories are wholly held, of a shard or of all.
SELECT count(*) FROM repo WHERE state = 'synchronized' AND (%(shard)s::text IS NULL OR shard = %(shard)s);

-- name: count_shard
-- Records that a shard's repositories were verified with, and rows that the tables really have of them.
WITH held AS MATERIALIZED (
    SELECT actor_id, records FROM repo WHERE shard = %(shard)s AND state = 'synchronized'
)
SELECT (SELECT coalesce(sum(records), 0)::bigint FROM held),
       (SELECT count(*) FROM held JOIN profile USING (actor_id))
     + (SELECT count(*) FROM held JOIN post USING (actor_id))
     + (SELECT count(*) FROM held JOIN "like" USING (actor_id))
     + (SELECT count(*) FROM held JOIN repost USING (actor_id))
     + (SELECT count(*) FROM held JOIN follow USING (actor_id))
     + (SELECT count(*) FROM held JOIN block USING (actor_id))
     + (SELECT count(*) FROM held JOIN list USING (actor_id))
     + (SELECT count(*) FROM held JOIN list_item USING (actor_id))
     + (SELECT count(*) FROM held JOIN list_block USING (actor_id))
     + (SELECT count(*) FROM held JOIN starter_pack USING (actor_id))
     + (SELECT count(*) FROM held JOIN verification USING (actor_id))
     + (SELECT count(*) FROM held JOIN generator USING (actor_id))
     + (SELECT count(*) FROM held JOIN labeler USING (actor_id))
     + (SELECT count(*) FROM held JOIN threadgate USING (actor_id))
     + (SELECT count(*) FROM held JOIN postgate USING (actor_id))
     + (SELECT count(*) FROM held JOIN record USING (actor_id));

-- name: repositories_after
-- A page of all repositories, in order of their keys.
SELECT actor_id FROM repo
WHERE state = 'synchronized' AND actor_id > %(after)s AND (%(shard)s::text IS NULL OR shard = %(shard)s)
ORDER BY actor_id LIMIT %(limit)s;

-- name: stored_like
-- Likes, their references in text.
SELECT t.actor_id, t.rkey, k.text, t.content, s.did, t.subject_collection, t.subject_rkey, sk.text,
       t.created_at, v.did, via_rkey(t.content), vk.text
FROM "like" t
LEFT JOIN record_key k ON k.id = t.rkey
LEFT JOIN actor s ON s.id = t.subject_actor LEFT JOIN record_key sk ON sk.id = t.subject_rkey
LEFT JOIN actor v ON v.id = via_actor(t.content) LEFT JOIN record_key vk ON vk.id = via_rkey(t.content)
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_repost
-- Reposts, their references in text.
SELECT t.actor_id, t.rkey, k.text, t.content, s.did, t.subject_collection, t.subject_rkey, sk.text,
       t.created_at, v.did, via_rkey(t.content), vk.text
FROM repost t
LEFT JOIN record_key k ON k.id = t.rkey
LEFT JOIN actor s ON s.id = t.subject_actor LEFT JOIN record_key sk ON sk.id = t.subject_rkey
LEFT JOIN actor v ON v.id = via_actor(t.content) LEFT JOIN record_key vk ON vk.id = via_rkey(t.content)
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_follow
-- Follows, their subjects in text.
SELECT t.actor_id, t.rkey, k.text, t.raw, s.did, t.created_at
FROM follow t LEFT JOIN record_key k ON k.id = t.rkey LEFT JOIN actor s ON s.id = t.subject_actor
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_block
-- Blocks, their subjects in text.
SELECT t.actor_id, t.rkey, k.text, t.raw, s.did, t.created_at
FROM block t LEFT JOIN record_key k ON k.id = t.rkey LEFT JOIN actor s ON s.id = t.subject_actor
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_post
-- Posts as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM post t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_profile
-- Profiles as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM profile t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_list_item
-- List items, their subjects and lists in text; the lists are the owner's.
SELECT t.actor_id, t.rkey, k.text, t.raw, o.did, t.list_rkey, lk.text, s.did, t.created_at
FROM list_item t LEFT JOIN record_key k ON k.id = t.rkey LEFT JOIN record_key lk ON lk.id = t.list_rkey
LEFT JOIN actor o ON o.id = t.actor_id LEFT JOIN actor s ON s.id = t.subject_actor
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_list_block
-- Blocks of lists, the lists in text.
SELECT t.actor_id, t.rkey, k.text, t.raw, s.did, t.subject_rkey, sk.text, t.created_at
FROM list_block t LEFT JOIN record_key k ON k.id = t.rkey
LEFT JOIN actor s ON s.id = t.subject_actor LEFT JOIN record_key sk ON sk.id = t.subject_rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_list
-- Lists as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM list t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_starter_pack
-- Starter packs as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM starter_pack t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_verification
-- Verifications as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM verification t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_generator
-- Feed generators as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM generator t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_labeler
-- Labelers as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM labeler t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_threadgate
-- Threadgates as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM threadgate t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_postgate
-- Postgates as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw FROM postgate t LEFT JOIN record_key k ON k.id = t.rkey
WHERE t.actor_id = ANY(%(actors)s);

-- name: stored_record
-- All other records as they are.
SELECT t.actor_id, t.rkey, k.text, t.raw, c.nsid
FROM record t LEFT JOIN record_key k ON k.id = t.rkey LEFT JOIN collection c ON c.id = t.collection
WHERE t.actor_id = ANY(%(actors)s);
