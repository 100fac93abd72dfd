-- Who liked and reposted a record. Each account once: its first record (the lowest record key) is the one that counts.
-- Newest first by least(created_at, indexed_at), then by unique keys; a cursor is the last row's keys.
-- Posts have an index of their own: the collection has to be known when the statement is planned.

-- name: get_likes
-- The likes of a record, and of one version of it when a CID is given. Which of a page are their account's first is looked up for the page alone:
-- were the others left out before the sort, all rows of a post with many would have to be kept for it.
SELECT
    page.*,
    NOT EXISTS (
        SELECT FROM "like" AS earlier
        WHERE earlier.subject_actor = %(actor)s
            AND earlier.subject_rkey = %(rkey)s
            AND earlier.actor_id = page.actor_id
            AND earlier.subject_collection = %(collection)s::smallint
            AND earlier.rkey < page.rkey
    ) AS is_first
FROM (
    SELECT
        subject_like.actor_id,
        subject_like.actor_id AS other_actor,
        subject_like.rkey,
        subject_like.created_at,
        least(subject_like.created_at, subject_like.indexed_at) AS sort_at
    FROM "like" AS subject_like
    WHERE subject_like.subject_actor = %(actor)s
        AND subject_like.subject_rkey = %(rkey)s
        AND subject_like.subject_collection = %(collection)s::smallint
        AND (%(cid)s::bytea IS NULL OR substring(subject_like.content FOR 32) = %(cid)s::bytea)
        AND (least(subject_like.created_at, subject_like.indexed_at), subject_like.rkey, subject_like.actor_id)
        < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
    ORDER BY least(subject_like.created_at, subject_like.indexed_at) DESC, subject_like.rkey DESC, subject_like.actor_id DESC
    LIMIT %(limit)s
) AS page
ORDER BY page.sort_at DESC, page.rkey DESC, page.actor_id DESC;

-- name: get_reposters
-- The reposts of a post, and of one version of it when a CID is given. Which of a page are their account's first is looked up for the page alone:
-- were the others left out before the sort, all rows of a post with many would have to be kept for it.
SELECT
    page.*,
    NOT EXISTS (
        SELECT FROM repost AS earlier
        WHERE earlier.subject_actor = %(actor)s
            AND earlier.subject_rkey = %(rkey)s
            AND earlier.actor_id = page.actor_id
            AND earlier.subject_collection = %(collection)s::smallint
            AND earlier.rkey < page.rkey
    ) AS is_first
FROM (
    SELECT
        repost.actor_id,
        repost.actor_id AS other_actor,
        repost.rkey,
        repost.created_at,
        least(repost.created_at, repost.indexed_at) AS sort_at
    FROM repost
    WHERE repost.subject_actor = %(actor)s
        AND repost.subject_rkey = %(rkey)s
        AND repost.subject_collection = %(collection)s::smallint
        AND (%(cid)s::bytea IS NULL OR substring(repost.content FOR 32) = %(cid)s::bytea)
        AND (least(repost.created_at, repost.indexed_at), repost.rkey, repost.actor_id)
        < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
    ORDER BY least(repost.created_at, repost.indexed_at) DESC, repost.rkey DESC, repost.actor_id DESC
    LIMIT %(limit)s
) AS page
ORDER BY page.sort_at DESC, page.rkey DESC, page.actor_id DESC;

-- name: get_likes_by_actor
-- Which of some posts an account liked, by its first like of each.
SELECT DISTINCT ON (subject_like.subject_actor, subject_like.subject_rkey)
    subject_like.subject_actor,
    subject_like.subject_rkey,
    subject_like.rkey,
    record_key.text AS rkey_text
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS wanted (actor_id, rkey)
JOIN "like" AS subject_like
    ON subject_like.subject_actor = wanted.actor_id
    AND subject_like.subject_rkey = wanted.rkey
    AND subject_like.actor_id = %(actor)s
LEFT JOIN record_key ON record_key.id = subject_like.rkey AND subject_like.rkey < 0
WHERE subject_like.subject_collection = 1
ORDER BY subject_like.subject_actor, subject_like.subject_rkey, subject_like.rkey;
