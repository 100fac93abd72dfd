-- Derived counts, recomputed from the base tables for the accounts from %(low)s to %(high)s, both included: one key range, or several that
-- are adjacent. What is told is told of each key range that has anything, by its accounts' uppermost bits.
-- Two likes of one account on one post count once.
--
-- A recomputation adds what the counts are off by. One statement sees the rows and their counts as of one moment, and whoever changes
-- rows live changes their counts in the same transaction: by how much they are off is the same at any later moment. So live writers are
-- neither stopped nor undone, and counts that were right are not written. A row of zeros, left where all was taken back, means the same as none.

-- name: recompute_post_counts
-- Likes, reposts, replies and quotes of each post of a range of accounts: rows that have counts, rows that were off, base rows.
WITH likes AS (
    SELECT subject_actor AS actor_id, subject_rkey AS rkey, count(DISTINCT actor_id)::integer AS n, count(*)::integer AS base
    FROM "like" WHERE subject_actor BETWEEN %(low)s AND %(high)s AND subject_collection = 1 GROUP BY 1, 2
), reposts AS (
    SELECT subject_actor AS actor_id, subject_rkey AS rkey, count(DISTINCT actor_id)::integer AS n, count(*)::integer AS base
    FROM repost WHERE subject_actor BETWEEN %(low)s AND %(high)s AND subject_collection = 1 GROUP BY 1, 2
), replies AS (
    SELECT reply_parent_actor AS actor_id, reply_parent_rkey AS rkey, count(*)::integer AS n, count(*)::integer AS base
    FROM post WHERE reply_parent_actor BETWEEN %(low)s AND %(high)s GROUP BY 1, 2
), uncounted AS (  -- replies that break their threadgate
    SELECT parent_actor AS actor_id, parent_rkey AS rkey, -count(*)::integer AS n, 0 AS base
    FROM violation WHERE parent_actor BETWEEN %(low)s AND %(high)s AND kind = 1 GROUP BY 1, 2
), quotes AS (
    SELECT quote_actor AS actor_id, quote_rkey AS rkey, count(*)::integer AS n, count(*)::integer AS base
    FROM post WHERE quote_actor BETWEEN %(low)s AND %(high)s AND quote_collection = 1 GROUP BY 1, 2
), parts AS (
    SELECT actor_id, rkey, n AS likes, 0 AS reposts, 0 AS replies, 0 AS quotes, base FROM likes
    UNION ALL SELECT actor_id, rkey, 0, n, 0, 0, base FROM reposts
    UNION ALL SELECT actor_id, rkey, 0, 0, n, 0, base FROM replies
    UNION ALL SELECT actor_id, rkey, 0, 0, n, 0, base FROM uncounted
    UNION ALL SELECT actor_id, rkey, 0, 0, 0, n, base FROM quotes
), counted AS (
    SELECT actor_id, rkey, sum(likes) AS likes, sum(reposts) AS reposts, sum(replies) AS replies, sum(quotes) AS quotes,
        sum(base) AS base
    FROM parts GROUP BY 1, 2
), held AS (
    SELECT * FROM post_counts WHERE actor_id BETWEEN %(low)s AND %(high)s
), written AS (
    INSERT INTO post_counts AS held (actor_id, rkey, likes, reposts, replies, quotes)
    SELECT actor_id, rkey,
        coalesce(c.likes, 0) - coalesce(h.likes, 0), coalesce(c.reposts, 0) - coalesce(h.reposts, 0),
        coalesce(c.replies, 0) - coalesce(h.replies, 0), coalesce(c.quotes, 0) - coalesce(h.quotes, 0)
    FROM counted c FULL JOIN held h USING (actor_id, rkey)
    WHERE (coalesce(c.likes, 0), coalesce(c.reposts, 0), coalesce(c.replies, 0), coalesce(c.quotes, 0))
        <> (coalesce(h.likes, 0), coalesce(h.reposts, 0), coalesce(h.replies, 0), coalesce(h.quotes, 0))
    ORDER BY actor_id, rkey
    ON CONFLICT (actor_id, rkey) DO UPDATE SET
        (likes, reposts, replies, quotes) =
        (held.likes + excluded.likes, held.reposts + excluded.reposts,
        held.replies + excluded.replies, held.quotes + excluded.quotes)
    RETURNING actor_id
)
SELECT actor_id >> %(shift)s::integer AS upper_bits, sum(rows), sum(off), sum(base)::bigint FROM (
    SELECT actor_id, 1 AS rows, 0 AS off, base FROM counted UNION ALL SELECT actor_id, 0, 1, 0 FROM written
) AS told GROUP BY 1;

-- name: recompute_actor_counts
-- Followers, follows and posts of each account of a range: rows that have counts, rows that were off, base rows.
WITH followers AS (
    SELECT subject_actor AS actor_id, count(DISTINCT actor_id)::integer AS n, count(*)::integer AS base
    FROM follow WHERE subject_actor BETWEEN %(low)s AND %(high)s GROUP BY 1
), follows AS (
    SELECT actor_id, count(DISTINCT subject_actor)::integer AS n, count(*)::integer AS base
    FROM follow WHERE actor_id BETWEEN %(low)s AND %(high)s GROUP BY 1
), posts AS (
    SELECT actor_id, count(*)::integer AS n, count(*)::integer AS base
    FROM post WHERE actor_id BETWEEN %(low)s AND %(high)s GROUP BY 1
), parts AS (
    SELECT actor_id, n AS followers, 0 AS follows, 0 AS posts, base FROM followers
    UNION ALL SELECT actor_id, 0, n, 0, base FROM follows
    UNION ALL SELECT actor_id, 0, 0, n, base FROM posts
), counted AS (
    SELECT actor_id, sum(followers) AS followers, sum(follows) AS follows, sum(posts) AS posts, sum(base) AS base
    FROM parts GROUP BY 1
), held AS (
    SELECT * FROM actor_counts WHERE actor_id BETWEEN %(low)s AND %(high)s
), written AS (
    INSERT INTO actor_counts AS held (actor_id, followers, follows, posts)
    SELECT actor_id, coalesce(c.followers, 0) - coalesce(h.followers, 0), coalesce(c.follows, 0) - coalesce(h.follows, 0),
        coalesce(c.posts, 0) - coalesce(h.posts, 0)
    FROM counted c FULL JOIN held h USING (actor_id)
    WHERE (coalesce(c.followers, 0), coalesce(c.follows, 0), coalesce(c.posts, 0))
        <> (coalesce(h.followers, 0), coalesce(h.follows, 0), coalesce(h.posts, 0))
    ORDER BY actor_id
    ON CONFLICT (actor_id) DO UPDATE SET
        (followers, follows, posts) =
        (held.followers + excluded.followers, held.follows + excluded.follows, held.posts + excluded.posts)
    RETURNING actor_id
)
SELECT actor_id >> %(shift)s::integer AS upper_bits, sum(rows), sum(off), sum(base)::bigint FROM (
    SELECT actor_id, 1 AS rows, 0 AS off, base FROM counted UNION ALL SELECT actor_id, 0, 1, 0 FROM written
) AS told GROUP BY 1;

-- name: recompute_record_counts
-- Likes of records that are no posts, members of lists, and who joined by starter packs, of a range of accounts: rows that have counts,
-- rows that were off, base rows.
WITH likes AS (
    SELECT subject_actor AS actor_id, subject_collection AS collection, subject_rkey AS rkey,
        count(DISTINCT actor_id)::integer AS n, count(*)::integer AS base
    FROM "like" WHERE subject_actor BETWEEN %(low)s AND %(high)s AND subject_collection <> 1 GROUP BY 1, 2, 3
), items AS (
    SELECT actor_id, 10::smallint AS collection, list_rkey AS rkey,
        count(DISTINCT subject_actor)::integer AS n, count(*)::integer AS base
    FROM list_item WHERE actor_id BETWEEN %(low)s AND %(high)s AND list_rkey IS NOT NULL GROUP BY 1, 2, 3
), joined AS (
    SELECT pack_actor AS actor_id, 13::smallint AS collection, pack_rkey AS rkey, count(*)::integer AS n, count(*)::integer AS base
    FROM profile WHERE pack_actor BETWEEN %(low)s AND %(high)s GROUP BY 1, 2, 3
), parts AS (
    SELECT actor_id, collection, rkey, n AS likes, 0 AS items, base FROM likes
    UNION ALL SELECT actor_id, collection, rkey, 0, n, base FROM items
    UNION ALL SELECT actor_id, collection, rkey, 0, n, base FROM joined
), counted AS (
    SELECT actor_id, collection, rkey, sum(likes) AS likes, sum(items) AS items, sum(base) AS base
    FROM parts GROUP BY 1, 2, 3
), held AS (
    SELECT * FROM record_counts WHERE actor_id BETWEEN %(low)s AND %(high)s
), written AS (
    INSERT INTO record_counts AS held (actor_id, collection, rkey, likes, items)
    SELECT actor_id, collection, rkey, coalesce(c.likes, 0) - coalesce(h.likes, 0), coalesce(c.items, 0) - coalesce(h.items, 0)
    FROM counted c FULL JOIN held h USING (actor_id, collection, rkey)
    WHERE (coalesce(c.likes, 0), coalesce(c.items, 0)) <> (coalesce(h.likes, 0), coalesce(h.items, 0))
    ORDER BY actor_id, collection, rkey
    ON CONFLICT (actor_id, collection, rkey) DO UPDATE SET
        (likes, items) = (held.likes + excluded.likes, held.items + excluded.items)
    RETURNING actor_id
)
SELECT actor_id >> %(shift)s::integer AS upper_bits, sum(rows), sum(off), sum(base)::bigint FROM (
    SELECT actor_id, 1 AS rows, 0 AS off, base FROM counted UNION ALL SELECT actor_id, 0, 1, 0 FROM written
) AS told GROUP BY 1;

-- name: bytes_of_counted
-- Of the rows of the tables that nearly all counts are of.
SELECT sum(pg_relation_size(name))::bigint FROM unnest(ARRAY['"like"', 'repost', 'post', 'follow']::regclass[]) AS counted (name);

-- name: lock_ranges
-- One recomputation of a range at a time, to the end of the transaction; all lock in the same order.
SELECT pg_advisory_xact_lock(hashtextextended(%(aggregate)s || ' ' || key_range, 0))
FROM unnest(%(key_ranges)s::text[]) WITH ORDINALITY AS wanted (key_range, position) ORDER BY position;

-- name: computed_ranges
-- Which of these ranges were computed before.
SELECT key_range FROM aggregate_range WHERE aggregate = %(aggregate)s AND key_range = ANY(%(key_ranges)s);

-- name: mark_ranges_computed
-- When ranges were last recomputed, and from how much.
INSERT INTO aggregate_range (aggregate, key_range, rows, base_rows, computed_at)
SELECT %(aggregate)s, computed.key_range, computed.rows, computed.base_rows, now()
FROM unnest(%(key_ranges)s::text[], %(rows)s::bigint[], %(base_rows)s::bigint[]) AS computed (key_range, rows, base_rows)
ON CONFLICT (aggregate, key_range) DO UPDATE SET
    (rows, base_rows, computed_at) = (excluded.rows, excluded.base_rows, excluded.computed_at);
