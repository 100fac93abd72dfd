-- Who liked and reposted a record. Each account once: its first record (the lowest record key) is the one that counts.
-- Newest first by least(created_at, indexed_at), then by unique keys; a cursor is the last row's keys. No index has this order, as it would be
-- the largest of all: the few of most records are sorted, and records with very many are listed by account.
-- Posts have an index of their own: the collection has to be known when the statement is planned.

-- name: get_likes
-- The likes of a record, and of one version of it when a CID is given; none of a record with more than are to be sorted. Which of a page are
-- their account's first is looked up for the page alone: were the others left out before the sort, all rows of a record would have to be kept for it.
SELECT
    page.*,
    NOT EXISTS (
        SELECT FROM "like" AS earlier
        WHERE earlier.subject_actor = %(actor)s
            AND earlier.subject_rkey = %(rkey)s
            AND earlier.actor_id = page.actor_id
            AND earlier.subject_collection = %(collection)s::smallint
            AND earlier.rkey < page.rkey
    ) AS is_shown
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
        AND NOT EXISTS (
            SELECT FROM "like" AS counted
            WHERE counted.subject_actor = %(actor)s
                AND counted.subject_rkey = %(rkey)s
                AND counted.subject_collection = %(collection)s::smallint
            OFFSET %(most_sorted)s::bigint
        )
    ORDER BY least(subject_like.created_at, subject_like.indexed_at) DESC, subject_like.rkey DESC, subject_like.actor_id DESC
    LIMIT %(limit)s
) AS page
ORDER BY page.sort_at DESC, page.rkey DESC, page.actor_id DESC;

-- name: get_likes_by_account
-- The same in the order of the index, when there are more than so many: by account, of several of an account any one. A version that is not asked
-- for is not shown.
WITH RECURSIVE listed AS (
    SELECT
        %(before_actor)s::bigint AS actor_id,
        NULL::bigint AS rkey,
        NULL::timestamptz AS created_at,
        NULL::timestamptz AS indexed_at,
        NULL::bytea AS content,
        0 AS number
    WHERE EXISTS (
        SELECT FROM "like" AS counted
        WHERE counted.subject_actor = %(actor)s
            AND counted.subject_rkey = %(rkey)s
            AND counted.subject_collection = %(collection)s::smallint
        OFFSET %(more_than)s::bigint
    )
    UNION ALL
    SELECT further.*, listed.number + 1
    FROM listed
    CROSS JOIN LATERAL (
        SELECT subject_like.actor_id, subject_like.rkey, subject_like.created_at, subject_like.indexed_at, subject_like.content
        FROM "like" AS subject_like
        WHERE subject_like.subject_actor = %(actor)s
            AND subject_like.subject_rkey = %(rkey)s
            AND subject_like.subject_collection = %(collection)s::smallint
            AND subject_like.actor_id < listed.actor_id
        ORDER BY subject_like.actor_id DESC
        LIMIT 1
    ) AS further
    WHERE listed.number < %(limit)s
)
SELECT
    listed.actor_id,
    listed.actor_id AS other_actor,
    listed.rkey,
    listed.created_at,
    least(listed.created_at, listed.indexed_at) AS sort_at,
    %(cid)s::bytea IS NULL OR substring(listed.content FOR 32) = %(cid)s::bytea AS is_shown
FROM listed
WHERE listed.number > 0
ORDER BY listed.number;

-- name: get_reposters
-- The reposts of a record, and of one version of it when a CID is given; none of a record with more than are to be sorted. Which of a page are
-- their account's first is looked up for the page alone: were the others left out before the sort, all rows of a record would have to be kept for it.
SELECT
    page.*,
    NOT EXISTS (
        SELECT FROM repost AS earlier
        WHERE earlier.subject_actor = %(actor)s
            AND earlier.subject_rkey = %(rkey)s
            AND earlier.actor_id = page.actor_id
            AND earlier.subject_collection = %(collection)s::smallint
            AND earlier.rkey < page.rkey
    ) AS is_shown
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
        AND NOT EXISTS (
            SELECT FROM repost AS counted
            WHERE counted.subject_actor = %(actor)s
                AND counted.subject_rkey = %(rkey)s
                AND counted.subject_collection = %(collection)s::smallint
            OFFSET %(most_sorted)s::bigint
        )
    ORDER BY least(repost.created_at, repost.indexed_at) DESC, repost.rkey DESC, repost.actor_id DESC
    LIMIT %(limit)s
) AS page
ORDER BY page.sort_at DESC, page.rkey DESC, page.actor_id DESC;

-- name: get_reposters_by_account
-- The same in the order of the index, when there are more than so many: by account, of several of an account any one. A version that is not asked
-- for is not shown.
WITH RECURSIVE listed AS (
    SELECT
        %(before_actor)s::bigint AS actor_id,
        NULL::bigint AS rkey,
        NULL::timestamptz AS created_at,
        NULL::timestamptz AS indexed_at,
        NULL::bytea AS content,
        0 AS number
    WHERE EXISTS (
        SELECT FROM repost AS counted
        WHERE counted.subject_actor = %(actor)s
            AND counted.subject_rkey = %(rkey)s
            AND counted.subject_collection = %(collection)s::smallint
        OFFSET %(more_than)s::bigint
    )
    UNION ALL
    SELECT further.*, listed.number + 1
    FROM listed
    CROSS JOIN LATERAL (
        SELECT repost.actor_id, repost.rkey, repost.created_at, repost.indexed_at, repost.content
        FROM repost
        WHERE repost.subject_actor = %(actor)s
            AND repost.subject_rkey = %(rkey)s
            AND repost.subject_collection = %(collection)s::smallint
            AND repost.actor_id < listed.actor_id
        ORDER BY repost.actor_id DESC
        LIMIT 1
    ) AS further
    WHERE listed.number < %(limit)s
)
SELECT
    listed.actor_id,
    listed.actor_id AS other_actor,
    listed.rkey,
    listed.created_at,
    least(listed.created_at, listed.indexed_at) AS sort_at,
    %(cid)s::bytea IS NULL OR substring(listed.content FOR 32) = %(cid)s::bytea AS is_shown
FROM listed
WHERE listed.number > 0
ORDER BY listed.number;

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
