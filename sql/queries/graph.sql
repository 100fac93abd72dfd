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
-- Which of some pairs of accounts have a block between them, in either direction: of the account, or of a moderation list that it is on.
WITH wanted AS (
    SELECT one, other, one AS blocker, other AS blocked
    FROM unnest(%(ones)s::bigint[], %(others)s::bigint[]) AS pair (one, other)
    UNION ALL
    SELECT one, other, other, one
    FROM unnest(%(ones)s::bigint[], %(others)s::bigint[]) AS pair (one, other)
)
SELECT DISTINCT wanted.one, wanted.other
FROM wanted
WHERE EXISTS (SELECT FROM block WHERE block.actor_id = wanted.blocker AND block.subject_actor = wanted.blocked)
    OR EXISTS (
        SELECT FROM list_block
        JOIN list ON list.actor_id = list_block.subject_actor AND list.rkey = list_block.subject_rkey AND list.purpose = 1
        JOIN list_item
            ON list_item.subject_actor = wanted.blocked
            AND list_item.actor_id = list.actor_id
            AND list_item.list_rkey = list.rkey
        WHERE list_block.actor_id = wanted.blocker
    );

-- name: get_relationships
-- What stands between an account and others: follows and blocks in both directions, each by its first record, and lists of members
-- whose list the one blocks and the other is on. A row names a record, which for the lists is the list.
WITH other AS (
    SELECT unnest(%(others)s::bigint[]) AS actor_id
),
related AS (
    SELECT DISTINCT ON (follow.subject_actor)
        'following' AS relation, follow.subject_actor AS other_actor, follow.actor_id, follow.rkey
    FROM other JOIN follow ON follow.subject_actor = other.actor_id AND follow.actor_id = %(actor)s
    ORDER BY follow.subject_actor, follow.rkey
),
related_by AS (
    SELECT DISTINCT ON (follow.actor_id)
        'followedBy' AS relation, follow.actor_id AS other_actor, follow.actor_id, follow.rkey
    FROM other JOIN follow ON follow.subject_actor = %(actor)s AND follow.actor_id = other.actor_id
    ORDER BY follow.actor_id, follow.rkey
),
blocked AS (
    SELECT DISTINCT ON (block.subject_actor)
        'blocking' AS relation, block.subject_actor AS other_actor, block.actor_id, block.rkey
    FROM other JOIN block ON block.subject_actor = other.actor_id AND block.actor_id = %(actor)s
    ORDER BY block.subject_actor, block.rkey
),
blocked_by AS (
    SELECT DISTINCT ON (block.actor_id)
        'blockedBy' AS relation, block.actor_id AS other_actor, block.actor_id, block.rkey
    FROM other JOIN block ON block.subject_actor = %(actor)s AND block.actor_id = other.actor_id
    ORDER BY block.actor_id, block.rkey
),
blocked_on_list AS (
    SELECT DISTINCT ON (list_item.subject_actor)
        'blockingByList' AS relation,
        list_item.subject_actor AS other_actor,
        list_item.actor_id,
        list_item.list_rkey AS rkey
    FROM other
    JOIN list_block ON list_block.actor_id = %(actor)s AND list_block.subject_actor IS NOT NULL
    JOIN list_item
        ON list_item.subject_actor = other.actor_id
        AND list_item.actor_id = list_block.subject_actor
        AND list_item.list_rkey = list_block.subject_rkey
    ORDER BY list_item.subject_actor, list_block.rkey
),
blocked_by_list AS (
    SELECT DISTINCT ON (list_block.actor_id)
        'blockedByList' AS relation, list_block.actor_id AS other_actor, list_item.actor_id, list_item.list_rkey AS rkey
    FROM other
    JOIN list_block ON list_block.actor_id = other.actor_id AND list_block.subject_actor IS NOT NULL
    JOIN list_item
        ON list_item.subject_actor = %(actor)s
        AND list_item.actor_id = list_block.subject_actor
        AND list_item.list_rkey = list_block.subject_rkey
    ORDER BY list_block.actor_id, list_block.rkey
)
SELECT found.relation, found.other_actor, actor.did, found.rkey, record_key.text AS rkey_text
FROM (
    SELECT * FROM related
    UNION ALL
    SELECT * FROM related_by
    UNION ALL
    SELECT * FROM blocked
    UNION ALL
    SELECT * FROM blocked_by
    UNION ALL
    SELECT * FROM blocked_on_list
    UNION ALL
    SELECT * FROM blocked_by_list
) AS found
JOIN actor ON actor.id = found.actor_id
LEFT JOIN record_key ON record_key.id = found.rkey AND found.rkey < 0;
