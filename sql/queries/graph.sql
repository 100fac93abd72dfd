-- Follows and blocks. Of several follows of one account by one account only the first (the lowest record key) is listed.
-- Newest first by least(created_at, indexed_at), then by unique keys; a cursor is the last row's keys.

-- name: get_followers
-- The accounts that follow one.
SELECT
    follow.actor_id AS other_actor,
    follow.actor_id,
    follow.rkey,
    follow.created_at,
    least(follow.created_at, follow.indexed_at) AS sort_at
FROM follow
WHERE follow.subject_actor = %(actor)s
    AND (least(follow.created_at, follow.indexed_at), follow.rkey, follow.actor_id)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
    AND NOT EXISTS (
        SELECT FROM follow AS earlier
        WHERE earlier.subject_actor = follow.subject_actor
            AND earlier.actor_id = follow.actor_id
            AND earlier.rkey < follow.rkey
    )
ORDER BY least(follow.created_at, follow.indexed_at) DESC, follow.rkey DESC, follow.actor_id DESC
LIMIT %(limit)s;

-- name: get_follows
-- The accounts that one follows.
SELECT
    follow.subject_actor AS other_actor,
    follow.actor_id,
    follow.rkey,
    follow.created_at,
    least(follow.created_at, follow.indexed_at) AS sort_at
FROM follow
WHERE follow.actor_id = %(actor)s
    AND (least(follow.created_at, follow.indexed_at), follow.rkey, follow.actor_id)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
    AND NOT EXISTS (
        SELECT FROM follow AS earlier
        WHERE earlier.subject_actor = follow.subject_actor
            AND earlier.actor_id = follow.actor_id
            AND earlier.rkey < follow.rkey
    )
ORDER BY least(follow.created_at, follow.indexed_at) DESC, follow.rkey DESC, follow.actor_id DESC
LIMIT %(limit)s;

-- name: get_blocked_pairs
-- Which of some pairs of accounts have a block between them, in either direction.
SELECT wanted.one, wanted.other
FROM unnest(%(ones)s::bigint[], %(others)s::bigint[]) AS wanted (one, other)
WHERE EXISTS (SELECT FROM block WHERE block.actor_id = wanted.one AND block.subject_actor = wanted.other)
    OR EXISTS (SELECT FROM block WHERE block.actor_id = wanted.other AND block.subject_actor = wanted.one);
