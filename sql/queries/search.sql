-- The search tables: kept by zeppelin_pipeline/warehouse/search.py, read by the API. A row may be left of a post that is gone or changed:
-- whoever reads looks at the post itself.

-- name: is_search_kept
-- Whether a search table is being made, or was, and so is kept.
SELECT EXISTS (SELECT FROM aggregate_range WHERE aggregate = %(aggregate)s) AS is_kept;

-- name: is_search_ready
-- Whether a search table can be searched: some of it was made, and its index stands.
SELECT EXISTS (SELECT FROM aggregate_range WHERE aggregate = %(aggregate)s)
    AND to_regclass(%(aggregate)s::text || '_terms') IS NOT NULL AS is_ready;

-- name: lacks_post_search_indexes
-- Whether they are to be built: all ranges were made, and they do not stand. (To build what stands would wait for all who write.)
SELECT to_regclass('post_search_terms') IS NULL
    AND (SELECT count(*) FROM aggregate_range WHERE aggregate = %(aggregate)s) = %(ranges)s;

-- name: drop_post_search_indexes
-- Before the first range: to fill the table without them and to build them once takes a fraction of the time.
DROP INDEX IF EXISTS post_search_latest, post_search_terms;

-- name: lock_post_search_indexes
-- One builds them at a time.
SELECT pg_advisory_xact_lock(hashtextextended('post_search indexes', 0));

-- name: build_post_search_indexes
-- As the schema has them, over rows that lie in the order of their times.
LOCK TABLE post_search IN ACCESS EXCLUSIVE MODE; -- at once: whoever reads before he writes would wait for the index, and the sorting for him
CREATE INDEX IF NOT EXISTS post_search_latest ON post_search (sort_at);
CLUSTER post_search USING post_search_latest;
CREATE INDEX IF NOT EXISTS post_search_terms ON post_search USING gin (terms);
ANALYZE post_search;

-- name: make_copied_posts
-- Of the connection alone, and empty.
CREATE TEMPORARY TABLE IF NOT EXISTS copied_post (
    actor_id bigint, rkey bigint, sort_at timestamptz, terms integer[]
) ON COMMIT DELETE ROWS;
TRUNCATE copied_post;

-- name: copy_posts
-- Rows for it.
COPY copied_post (actor_id, rkey, sort_at, terms) FROM STDIN (FORMAT binary);

-- name: take_copied_posts
-- Into the search table. Whoever indexed a post meanwhile did as well.
INSERT INTO post_search (actor_id, rkey, sort_at, terms)
SELECT actor_id, rkey, sort_at, terms FROM copied_post ON CONFLICT (actor_id, rkey) DO NOTHING;

-- name: unsearched_posts
-- Posts of a range of accounts that cannot be found yet.
SELECT post.actor_id, post.rkey, least(post.created_at, post.indexed_at) AS sort_at, actor.did, post.raw
FROM post
JOIN actor ON actor.id = post.actor_id
WHERE post.actor_id BETWEEN %(low)s AND %(high)s
    AND NOT EXISTS (
        SELECT FROM post_search WHERE post_search.actor_id = post.actor_id AND post_search.rkey = post.rkey
    );

-- name: posts_to_search
-- Posts by their keys.
SELECT post.actor_id, post.rkey, least(post.created_at, post.indexed_at) AS sort_at, actor.did, post.raw
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS wanted (actor_id, rkey)
JOIN post ON post.actor_id = wanted.actor_id AND post.rkey = wanted.rkey
JOIN actor ON actor.id = post.actor_id;

-- name: forget_gone_posts
-- What can be found of a range of accounts and is not there any more.
DELETE FROM post_search
WHERE actor_id BETWEEN %(low)s AND %(high)s
    AND NOT EXISTS (SELECT FROM post WHERE post.actor_id = post_search.actor_id AND post.rkey = post_search.rkey);

-- name: forget_posts
-- Posts that were written or removed.
DELETE FROM post_search USING unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS gone (actor_id, rkey)
WHERE post_search.actor_id = gone.actor_id AND post_search.rkey = gone.rkey;

-- name: forget_posts_of_accounts
-- Accounts that were deleted.
DELETE FROM post_search WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: forget_names_of_accounts
-- Accounts that were deleted.
DELETE FROM name_search WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: forget_merged_posts
-- Posts that a merge removes or replaces.
DELETE FROM post_search USING changed_post AS c
WHERE post_search.actor_id = c.actor_id AND post_search.rkey = c.rkey AND c.change <> 'created';

-- name: add_post_terms
-- One post. Whoever indexed it meanwhile did as well.
INSERT INTO post_search (actor_id, rkey, sort_at, terms) VALUES (%s, %s, %s, %s) ON CONFLICT (actor_id, rkey) DO NOTHING;

-- name: names_of_range
-- Everything with a name of a range of accounts: its collection, its rank, its handle, and the record with its name.
SELECT identity.actor_id, 0::bigint AS rkey, 6::smallint AS collection,
    coalesce(actor_counts.followers, 0)::bigint AS rank, identity.handle, profile.raw
FROM identity
LEFT JOIN profile ON profile.actor_id = identity.actor_id
LEFT JOIN actor_counts ON actor_counts.actor_id = identity.actor_id
WHERE identity.actor_id BETWEEN %(low)s AND %(high)s
UNION ALL
SELECT generator.actor_id, generator.rkey, 7, coalesce(record_counts.likes, 0), NULL, generator.raw
FROM generator
LEFT JOIN record_counts
    ON record_counts.actor_id = generator.actor_id AND record_counts.collection = 7 AND record_counts.rkey = generator.rkey
WHERE generator.actor_id BETWEEN %(low)s AND %(high)s
UNION ALL
SELECT starter_pack.actor_id, starter_pack.rkey, 13,
    (extract(epoch FROM least(starter_pack.created_at, starter_pack.indexed_at)) * 1000000)::bigint, NULL, starter_pack.raw
FROM starter_pack
WHERE starter_pack.actor_id BETWEEN %(low)s AND %(high)s;

-- name: forget_gone_names
-- What can be found of a range of accounts by its name and is not there any more.
DELETE FROM name_search AS n
WHERE n.actor_id BETWEEN %(low)s AND %(high)s AND NOT CASE n.collection
    WHEN 6 THEN EXISTS (SELECT FROM identity WHERE identity.actor_id = n.actor_id)
    WHEN 7 THEN EXISTS (SELECT FROM generator WHERE generator.actor_id = n.actor_id AND generator.rkey = n.rkey)
    ELSE EXISTS (SELECT FROM starter_pack WHERE starter_pack.actor_id = n.actor_id AND starter_pack.rkey = n.rkey)
END;

-- name: put_name_terms
-- One name; written only where something differs.
INSERT INTO name_search (actor_id, rkey, collection, rank, terms) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (actor_id, collection, rkey) DO UPDATE SET (rank, terms) = (excluded.rank, excluded.terms)
WHERE (name_search.rank, name_search.terms) IS DISTINCT FROM (excluded.rank, excluded.terms);

-- name: search_latest_posts
-- Posts that have all terms, newest first.
SELECT actor_id, rkey, sort_at
FROM newest_posts(
    %(terms)s::integer[],
    %(since)s::timestamptz,
    %(until)s::timestamptz,
    %(before_at)s::timestamptz,
    %(before_rkey)s::bigint,
    %(before_actor)s::bigint,
    %(limit)s::bigint
)
ORDER BY sort_at DESC, rkey DESC, actor_id DESC;

-- name: search_top_posts
-- Of the newest posts that have all terms, up to a time, those with the most likes, reposts, replies and quotes.
SELECT actor_id, rkey, score, tie
FROM (
    SELECT
        found.actor_id,
        found.rkey,
        coalesce(counts.likes + counts.reposts + counts.replies + counts.quotes, 0)::bigint AS score,
        found.actor_id # found.rkey AS tie
    FROM newest_posts(
        %(terms)s::integer[],
        %(since)s::timestamptz,
        %(until)s::timestamptz,
        %(before_at)s::timestamptz,
        9223372036854775807,
        9223372036854775807,
        %(candidates)s::bigint
    ) AS found
    LEFT JOIN post_counts AS counts ON counts.actor_id = found.actor_id AND counts.rkey = found.rkey
) AS ranked
WHERE (score, tie) < (%(before_score)s::bigint, %(before_tie)s::bigint)
ORDER BY score DESC, tie DESC
LIMIT %(limit)s;

-- name: search_names
-- Accounts, generators or starter packs whose names have words that begin so, by rank.
SELECT actor_id, rkey, rank
FROM ranked_names(
    %(collection)s::smallint,
    %(terms)s::integer[],
    %(before_rank)s::bigint,
    %(before_actor)s::bigint,
    %(before_rkey)s::bigint,
    %(limit)s::bigint
)
ORDER BY rank DESC, actor_id DESC, rkey DESC;

-- name: most_ranked_names
-- All accounts, generators or starter packs, by rank.
SELECT actor_id, rkey, rank
FROM name_search
WHERE collection = %(collection)s::smallint
    AND (rank, actor_id, rkey) < (%(before_rank)s::bigint, %(before_actor)s::bigint, %(before_rkey)s::bigint)
ORDER BY rank DESC, actor_id DESC, rkey DESC
LIMIT %(limit)s;
