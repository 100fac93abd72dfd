-- Derived counts, recomputed from the base tables for one range of accounts: %(low)s to %(high)s, both included.
-- Two likes of one account on one post count once.

-- name: clear_post_counts
-- Drop a range of post_counts before it is computed anew.
DELETE FROM post_counts WHERE actor_id BETWEEN %(low)s AND %(high)s;

-- name: recompute_post_counts
-- Likes, reposts, replies and quotes of each post of a range of accounts.
WITH likes AS (
    SELECT subject_actor AS actor_id, subject_rkey AS rkey, count(DISTINCT actor_id) AS n, count(*) AS base
    FROM "like" WHERE subject_actor BETWEEN %(low)s AND %(high)s AND subject_collection = 1 GROUP BY 1, 2
), reposts AS (
    SELECT subject_actor AS actor_id, subject_rkey AS rkey, count(DISTINCT actor_id) AS n, count(*) AS base
    FROM repost WHERE subject_actor BETWEEN %(low)s AND %(high)s AND subject_collection = 1 GROUP BY 1, 2
), replies AS (
    SELECT reply_parent_actor AS actor_id, reply_parent_rkey AS rkey, count(*) AS n, count(*) AS base
    FROM post WHERE reply_parent_actor BETWEEN %(low)s AND %(high)s GROUP BY 1, 2
), quotes AS (
    SELECT quote_actor AS actor_id, quote_rkey AS rkey, count(*) AS n, count(*) AS base
    FROM post WHERE quote_actor BETWEEN %(low)s AND %(high)s AND quote_collection = 1 GROUP BY 1, 2
), parts AS (
    SELECT actor_id, rkey, n AS likes, 0 AS reposts, 0 AS replies, 0 AS quotes, base FROM likes
    UNION ALL SELECT actor_id, rkey, 0, n, 0, 0, base FROM reposts
    UNION ALL SELECT actor_id, rkey, 0, 0, n, 0, base FROM replies
    UNION ALL SELECT actor_id, rkey, 0, 0, 0, n, base FROM quotes
), written AS (
    INSERT INTO post_counts (actor_id, rkey, likes, reposts, replies, quotes)
    SELECT actor_id, rkey, sum(likes), sum(reposts), sum(replies), sum(quotes) FROM parts GROUP BY 1, 2
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT coalesce(sum(base), 0)::bigint FROM parts);

-- name: clear_actor_counts
-- Drop a range of actor_counts before it is computed anew.
DELETE FROM actor_counts WHERE actor_id BETWEEN %(low)s AND %(high)s;

-- name: recompute_actor_counts
-- Followers, follows and posts of each account of a range.
WITH followers AS (
    SELECT subject_actor AS actor_id, count(DISTINCT actor_id) AS n, count(*) AS base
    FROM follow WHERE subject_actor BETWEEN %(low)s AND %(high)s GROUP BY 1
), follows AS (
    SELECT actor_id, count(DISTINCT subject_actor) AS n, count(*) AS base
    FROM follow WHERE actor_id BETWEEN %(low)s AND %(high)s GROUP BY 1
), posts AS (
    SELECT actor_id, count(*) AS n, count(*) AS base
    FROM post WHERE actor_id BETWEEN %(low)s AND %(high)s GROUP BY 1
), parts AS (
    SELECT actor_id, n AS followers, 0 AS follows, 0 AS posts, base FROM followers
    UNION ALL SELECT actor_id, 0, n, 0, base FROM follows
    UNION ALL SELECT actor_id, 0, 0, n, base FROM posts
), written AS (
    INSERT INTO actor_counts (actor_id, followers, follows, posts)
    SELECT actor_id, sum(followers), sum(follows), sum(posts) FROM parts GROUP BY 1
    RETURNING 1
)
SELECT (SELECT count(*) FROM written), (SELECT coalesce(sum(base), 0)::bigint FROM parts);

-- name: mark_range_computed
-- When a range was last recomputed, and from how much.
INSERT INTO aggregate_range (aggregate, key_range, rows, base_rows, computed_at)
VALUES (%(aggregate)s, %(key_range)s, %(rows)s, %(base_rows)s, now())
ON CONFLICT (aggregate, key_range) DO UPDATE SET
    (rows, base_rows, computed_at) = (excluded.rows, excluded.base_rows, excluded.computed_at);
