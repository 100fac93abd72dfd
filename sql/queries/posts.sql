-- What the API reads of posts, feeds and threads. Lists are newest first by least(created_at, indexed_at), then by unique keys;
-- a cursor is the last row's keys. Embed bits: 1 images, 8 video, 16 gallery. Collection 1 is app.bsky.feed.post.

-- name: get_posts
-- Posts by key, with their counts, the gates that they break (1 the threadgate, 2 the postgate, 3 both), and whether their thread and what they
-- quote have gates. A post without a row in post_counts has zeros.
SELECT
    post.actor_id,
    post.rkey,
    actor.did,
    record_key.text AS rkey_text,
    least(post.created_at, post.indexed_at) AS sort_at,
    post.raw,
    coalesce(post_counts.likes, 0) AS likes,
    coalesce(post_counts.reposts, 0) AS reposts,
    coalesce(post_counts.replies, 0) AS replies,
    coalesce(post_counts.quotes, 0) AS quotes,
    coalesce((
        SELECT bit_or(violation.kind) FROM violation
        WHERE violation.actor_id = wanted.actor_id AND violation.rkey = wanted.rkey AND violation.kind < 3
    ), 0) AS broken_gates,
    EXISTS (
        SELECT FROM threadgate
        WHERE threadgate.actor_id = coalesce(post.reply_root_actor, post.actor_id)
            AND threadgate.rkey = coalesce(post.reply_root_rkey, post.rkey)
    ) AS has_threadgate,
    EXISTS (
        SELECT FROM postgate WHERE postgate.actor_id = post.quote_actor AND postgate.rkey = post.quote_rkey
    ) AS has_postgate
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS wanted (actor_id, rkey)
JOIN post ON post.actor_id = wanted.actor_id AND post.rkey = wanted.rkey
JOIN actor ON actor.id = wanted.actor_id
LEFT JOIN record_key ON record_key.id = wanted.rkey AND wanted.rkey < 0
LEFT JOIN post_counts ON post_counts.actor_id = wanted.actor_id AND post_counts.rkey = wanted.rkey;

-- name: get_author_feed
-- An account's posts and reposts, newest first; of several reposts of one post only the first. A post has no content.
-- Of either at most so many rows are looked at, whatever is wanted of them; the last of these is given though it is not wanted, as the page
-- has to end there.
SELECT
    item.*,
    own_key.text AS rkey_text,
    via_key.text AS via_rkey_text
FROM (
    (
        SELECT
            0::smallint AS is_repost,
            own_post.actor_id AS post_actor,
            own_post.rkey AS post_rkey,
            own_post.rkey,
            own_post.sort_at,
            own_post.created_at,
            ''::bytea AS content,
            NULL::bigint AS via_actor,
            NULL::bigint AS via_rkey,
            own_post.is_wanted,
            own_post.number = %(scanned)s::bigint AS is_end
        FROM (
            SELECT
                post.actor_id,
                post.rkey,
                post.created_at,
                least(post.created_at, post.indexed_at) AS sort_at,
                (%(embed_bits)s::smallint = 0 OR (post.embed & %(embed_bits)s::smallint) <> 0)
                AND CASE %(replies)s::text
                    WHEN 'all' THEN true
                    WHEN 'own-threads' THEN post.reply_parent_actor IS NULL OR post.reply_root_actor = post.actor_id
                    ELSE post.reply_parent_actor IS NULL
                END AS is_wanted,
                row_number() OVER (ORDER BY least(post.created_at, post.indexed_at) DESC, post.rkey DESC) AS number
            FROM post
            WHERE post.actor_id = %(actor)s
                AND (least(post.created_at, post.indexed_at), post.rkey, 0::smallint)
                < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_is_repost)s::smallint)
        ) AS own_post
        WHERE own_post.number <= %(scanned)s::bigint AND (own_post.is_wanted OR own_post.number = %(scanned)s::bigint)
        ORDER BY own_post.sort_at DESC, own_post.rkey DESC
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT
            1::smallint AS is_repost,
            own_repost.subject_actor AS post_actor,
            own_repost.subject_rkey AS post_rkey,
            own_repost.rkey,
            own_repost.sort_at,
            own_repost.created_at,
            own_repost.content,
            via_actor(own_repost.content) AS via_actor,
            via_rkey(own_repost.content) AS via_rkey,
            own_repost.is_wanted,
            own_repost.number = %(scanned)s::bigint AS is_end
        FROM (
            SELECT
                repost.subject_actor,
                repost.subject_rkey,
                repost.rkey,
                repost.created_at,
                repost.content,
                least(repost.created_at, repost.indexed_at) AS sort_at,
                repost.subject_collection = 1 AND NOT EXISTS (
                    SELECT FROM repost AS earlier
                    WHERE earlier.actor_id = repost.actor_id
                        AND earlier.subject_actor = repost.subject_actor
                        AND earlier.subject_rkey = repost.subject_rkey
                        AND earlier.subject_collection = 1
                        AND earlier.rkey < repost.rkey
                ) AS is_wanted,
                row_number() OVER (ORDER BY least(repost.created_at, repost.indexed_at) DESC, repost.rkey DESC) AS number
            FROM repost
            WHERE repost.actor_id = %(actor)s
                AND %(with_reposts)s::boolean
                AND (least(repost.created_at, repost.indexed_at), repost.rkey, 1::smallint)
                < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_is_repost)s::smallint)
        ) AS own_repost
        WHERE own_repost.number <= %(scanned)s::bigint AND (own_repost.is_wanted OR own_repost.number = %(scanned)s::bigint)
        ORDER BY own_repost.sort_at DESC, own_repost.rkey DESC
        LIMIT %(limit)s
    )
    ORDER BY sort_at DESC, rkey DESC, is_repost DESC
    LIMIT %(limit)s
) AS item
LEFT JOIN record_key AS own_key ON own_key.id = item.rkey AND item.rkey < 0
LEFT JOIN record_key AS via_key ON via_key.id = item.via_rkey AND item.via_rkey < 0
ORDER BY item.sort_at DESC, item.rkey DESC, item.is_repost DESC;

-- name: get_thread
-- The posts above one, nearest first, at most so many; and those below it, level by level, at most so many levels and so many posts.
-- Who chooses record keys can let posts answer each other in a circle: it ends below where it comes back to the post itself.
WITH RECURSIVE ancestor (actor_id, rkey, height) AS (
    SELECT post.reply_parent_actor, post.reply_parent_rkey, 1
    FROM post
    WHERE post.actor_id = %(actor)s AND post.rkey = %(rkey)s AND post.reply_parent_actor IS NOT NULL AND %(height)s::integer > 0
    UNION ALL
    SELECT post.reply_parent_actor, post.reply_parent_rkey, ancestor.height + 1
    FROM ancestor
    JOIN post ON post.actor_id = ancestor.actor_id AND post.rkey = ancestor.rkey
    WHERE post.reply_parent_actor IS NOT NULL AND ancestor.height < %(height)s::integer
),
descendant (actor_id, rkey, depth) AS (
    SELECT post.actor_id, post.rkey, 1
    FROM post
    WHERE post.reply_parent_actor = %(actor)s AND post.reply_parent_rkey = %(rkey)s AND %(depth)s::integer > 0
        AND (post.actor_id, post.rkey) <> (%(actor)s, %(rkey)s)
    UNION ALL
    SELECT post.actor_id, post.rkey, descendant.depth + 1
    FROM descendant
    JOIN post ON post.reply_parent_actor = descendant.actor_id AND post.reply_parent_rkey = descendant.rkey
    WHERE descendant.depth < %(depth)s::integer AND (post.actor_id, post.rkey) <> (%(actor)s, %(rkey)s)
)
SELECT actor_id, rkey, true AS is_above FROM ancestor
UNION ALL
(SELECT actor_id, rkey, false AS is_above FROM descendant LIMIT %(limit)s);

-- name: get_op_thread
-- The thread that a post's author goes on with: to each post the first reply (the lowest record key) that is the author's too. Where
-- posts answer each other in a circle, it has one of them twice.
WITH RECURSIVE chain (rkey, position) AS (
    SELECT %(rkey)s::bigint, 1
    UNION ALL
    SELECT following.rkey, chain.position + 1
    FROM chain
    CROSS JOIN LATERAL (
        SELECT post.rkey
        FROM post
        WHERE post.reply_parent_actor = %(actor)s
            AND post.reply_parent_rkey = chain.rkey
            AND post.actor_id = %(actor)s
            AND post.reply_root_actor = %(actor)s
            AND post.reply_root_rkey = %(rkey)s
        ORDER BY post.rkey < 0, post.rkey
        LIMIT 1
    ) AS following
    WHERE chain.position < %(limit)s::integer
)
SELECT chain.rkey, record_key.text AS rkey_text
FROM chain
LEFT JOIN record_key ON record_key.id = chain.rkey AND chain.rkey < 0
ORDER BY chain.position;

-- name: get_quotes
-- The posts that embed a post.
SELECT post.actor_id, post.rkey, least(post.created_at, post.indexed_at) AS sort_at
FROM post
WHERE post.quote_actor = %(actor)s
    AND post.quote_rkey = %(rkey)s
    AND post.quote_collection = 1
    AND (least(post.created_at, post.indexed_at), post.rkey, post.actor_id)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
ORDER BY least(post.created_at, post.indexed_at) DESC, post.rkey DESC, post.actor_id DESC
LIMIT %(limit)s;

-- name: get_list_feed
-- The posts of a list's members, of a long list those added last. A page's posts are by those members who wrote last: only theirs are read
-- beyond the first.
WITH member AS (
    SELECT DISTINCT added.subject_actor AS actor_id
    FROM (
        SELECT list_item.subject_actor
        FROM list_item
        WHERE list_item.actor_id = %(actor)s AND list_item.list_rkey = %(rkey)s
        ORDER BY least(list_item.created_at, list_item.indexed_at) DESC, list_item.rkey DESC
        LIMIT %(most_members)s
    ) AS added
),
active AS (
    SELECT member.actor_id
    FROM member
    CROSS JOIN LATERAL (
        SELECT least(post.created_at, post.indexed_at) AS sort_at, post.rkey
        FROM post
        WHERE post.actor_id = member.actor_id
            AND (least(post.created_at, post.indexed_at), post.rkey, post.actor_id)
            < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
        ORDER BY least(post.created_at, post.indexed_at) DESC, post.rkey DESC
        LIMIT 1
    ) AS last
    ORDER BY last.sort_at DESC, last.rkey DESC, member.actor_id DESC
    LIMIT %(limit)s
)
SELECT item.actor_id, item.rkey, item.sort_at
FROM active
CROSS JOIN LATERAL (
    SELECT post.actor_id, post.rkey, least(post.created_at, post.indexed_at) AS sort_at
    FROM post
    WHERE post.actor_id = active.actor_id
        AND (least(post.created_at, post.indexed_at), post.rkey, post.actor_id)
        < (%(before_at)s::timestamptz, %(before_rkey)s::bigint, %(before_actor)s::bigint)
    ORDER BY least(post.created_at, post.indexed_at) DESC, post.rkey DESC
    LIMIT %(limit)s
) AS item
ORDER BY item.sort_at DESC, item.rkey DESC, item.actor_id DESC
LIMIT %(limit)s;

-- name: get_reposts
-- Reposts of posts by their keys.
SELECT
    1::smallint AS is_repost,
    actor.did,
    repost.subject_actor AS post_actor,
    repost.subject_rkey AS post_rkey,
    repost.rkey,
    least(repost.created_at, repost.indexed_at) AS sort_at,
    repost.created_at,
    repost.content,
    via_actor(repost.content) AS via_actor,
    via_rkey(repost.content) AS via_rkey,
    own_key.text AS rkey_text,
    via_key.text AS via_rkey_text
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS wanted (actor_id, rkey)
JOIN repost USING (actor_id, rkey)
JOIN actor ON actor.id = wanted.actor_id
LEFT JOIN record_key AS own_key ON own_key.id = repost.rkey AND repost.rkey < 0
LEFT JOIN record_key AS via_key ON via_key.id = via_rkey(repost.content) AND via_rkey(repost.content) < 0
WHERE repost.subject_collection = 1;
