-- Replies and quotes that break a rule (zeppelin_pipeline/warehouse/violations.py), judged by what the warehouse holds now, in whatever
-- order it came. A statement here judges the posts of the temporary table judged, and no others.

-- name: create_judged
-- The posts to be judged with what they answer and quote, read where they are found; of posts that are gone the keys alone. May hold one
-- twice. It stays with the connection, empty: live batches judge many times a second, and the catalogs would grow with each new table.
CREATE TEMPORARY TABLE IF NOT EXISTS judged (
    actor_id bigint NOT NULL,
    rkey bigint NOT NULL,
    reply_root_actor bigint,
    reply_root_rkey bigint,
    reply_parent_actor bigint,
    reply_parent_rkey bigint,
    quote_actor bigint,
    quote_rkey bigint,
    quote_collection smallint
) ON COMMIT DELETE ROWS;

-- name: judge_range
-- What may break a rule of the accounts of a range: by their uppermost bits, how many posts were looked at; and with each how many posts of
-- all are to be judged one by one. Of the replies in the accounts' threads these are only those in gated threads, and those that stand
-- amiss, which is found of all of them at once; further quotes of gated posts, and what was found to break a rule.
WITH RECURSIVE reply AS MATERIALIZED (
    SELECT post.actor_id, post.rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
        post.quote_actor, post.quote_rkey, post.quote_collection
    FROM post WHERE reply_root_actor BETWEEN %(low)s AND %(high)s
), gated AS (
    SELECT reply.* FROM threadgate AS gate
    JOIN reply ON reply.reply_root_actor = gate.actor_id AND reply.reply_root_rkey = gate.rkey
    WHERE gate.actor_id BETWEEN %(low)s AND %(high)s AND gate.allow IS NOT NULL AND reply.actor_id <> gate.actor_id
), no_root AS MATERIALIZED (  -- what replies name as their root, and is a reply itself
    SELECT root.* FROM (SELECT DISTINCT reply_root_actor AS actor_id, reply_root_rkey AS rkey FROM reply) AS root
    CROSS JOIN LATERAL (  -- looked up one by one: never all posts to find the roots of some
        SELECT reply_root_actor FROM post WHERE actor_id = root.actor_id AND rkey = root.rkey LIMIT 1
    ) AS held
    WHERE held.reply_root_actor IS NOT NULL
), misplaced AS (
    -- To such a post,
    SELECT reply.* FROM reply
    JOIN no_root ON no_root.actor_id = reply.reply_root_actor AND no_root.rkey = reply.reply_root_rkey
    WHERE reply.reply_parent_actor = reply.reply_root_actor AND reply.reply_parent_rkey = reply.reply_root_rkey
    UNION
    -- to a post that is held, and is not in the thread,
    SELECT reply.* FROM reply
    LEFT JOIN reply AS parent ON parent.actor_id = reply.reply_parent_actor AND parent.rkey = reply.reply_parent_rkey
        AND parent.reply_root_actor = reply.reply_root_actor AND parent.reply_root_rkey = reply.reply_root_rkey
    CROSS JOIN LATERAL (
        SELECT FROM post WHERE actor_id = reply.reply_parent_actor AND rkey = reply.reply_parent_rkey LIMIT 1
    ) AS held
    WHERE parent.actor_id IS NULL
        AND (reply.reply_parent_actor <> reply.reply_root_actor OR reply.reply_parent_rkey <> reply.reply_root_rkey)
), amiss AS (
    SELECT * FROM misplaced
    UNION
    -- and all that answers these.
    SELECT reply.* FROM amiss
    JOIN reply ON reply.reply_parent_actor = amiss.actor_id AND reply.reply_parent_rkey = amiss.rkey
), quote AS MATERIALIZED (
    SELECT post.actor_id, post.rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
        post.quote_actor, post.quote_rkey, post.quote_collection
    FROM postgate
    JOIN post ON post.quote_actor = postgate.actor_id AND post.quote_rkey = postgate.rkey
    WHERE postgate.actor_id BETWEEN %(low)s AND %(high)s AND postgate.is_embedding_disabled AND post.quote_collection = 1
), known AS (
    SELECT actor_id, rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
        post.quote_actor, post.quote_rkey, post.quote_collection
    FROM violation LEFT JOIN post USING (actor_id, rkey) WHERE ruler BETWEEN %(low)s AND %(high)s
), to_judge AS (
    INSERT INTO judged
    SELECT * FROM gated UNION ALL SELECT * FROM amiss UNION ALL SELECT * FROM quote UNION ALL SELECT * FROM known
    RETURNING 1
)
SELECT account >> %(shift)s::integer AS upper_bits, count(*), (SELECT count(*) FROM to_judge) FROM (
    SELECT reply_root_actor AS account FROM reply UNION ALL SELECT quote_actor FROM quote
    UNION ALL SELECT ruler FROM violation WHERE ruler BETWEEN %(low)s AND %(high)s
) AS looked_at GROUP BY 1;

-- name: judge_posts
-- Posts that were written or removed, and those that answer them: a parent says what a reply's root has to be.
INSERT INTO judged
WITH RECURSIVE changed AS (
    SELECT * FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS changed (actor_id, rkey)
    UNION
    SELECT post.actor_id, post.rkey FROM changed
    JOIN post ON post.reply_parent_actor = changed.actor_id AND post.reply_parent_rkey = changed.rkey
)
SELECT actor_id, rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
    post.quote_actor, post.quote_rkey, post.quote_collection
FROM changed LEFT JOIN post USING (actor_id, rkey);

-- name: judge_threads
-- Replies in the threads of these posts, whose threadgate was written or removed.
INSERT INTO judged
SELECT post.actor_id, post.rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
    post.quote_actor, post.quote_rkey, post.quote_collection
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS gate (actor_id, rkey)
JOIN post ON post.reply_root_actor = gate.actor_id AND post.reply_root_rkey = gate.rkey;

-- name: judge_quotes
-- Quotes of these posts, whose postgate was written or removed.
INSERT INTO judged
SELECT post.actor_id, post.rkey, post.reply_root_actor, post.reply_root_rkey, post.reply_parent_actor, post.reply_parent_rkey,
    post.quote_actor, post.quote_rkey, post.quote_collection
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS gate (actor_id, rkey)
JOIN post ON post.quote_actor = gate.actor_id AND post.quote_rkey = gate.rkey AND post.quote_collection = 1;

-- name: index_judged
-- So that many posts are looked up one by one, and not each among all; stays as judged does, so it is made once.
CREATE INDEX IF NOT EXISTS judged_key ON judged (actor_id, rkey);

-- name: analyze_judged
-- So that what is planned for many posts is not what is planned for few.
ANALYZE judged;

-- name: create_found
-- What the judged posts break, each rule once; stays as judged does.
CREATE TEMPORARY TABLE IF NOT EXISTS found (
    actor_id bigint NOT NULL,
    rkey bigint NOT NULL,
    kind smallint NOT NULL,
    ruler bigint NOT NULL,
    reply_parent_actor bigint,
    reply_parent_rkey bigint
) ON COMMIT DELETE ROWS;

-- name: find_violations
-- What the judged posts break.
INSERT INTO found (actor_id, rkey, kind, ruler, reply_parent_actor, reply_parent_rkey)
WITH RECURSIVE posts AS MATERIALIZED (
    SELECT DISTINCT ON (actor_id, rkey) * FROM judged ORDER BY actor_id, rkey
), misplaced AS (
    -- A reply to the root is to a post that is none itself; a reply to a reply speaks of the same root as that.
    SELECT posts.* FROM posts
    CROSS JOIN LATERAL (  -- looked up one by one, however many are judged: never all posts to find the parents of some
        SELECT * FROM post WHERE actor_id = posts.reply_parent_actor AND rkey = posts.reply_parent_rkey LIMIT 1
    ) AS parent
    WHERE posts.reply_root_actor IS NOT NULL AND CASE
        WHEN posts.reply_parent_actor = posts.reply_root_actor AND posts.reply_parent_rkey = posts.reply_root_rkey
        THEN parent.reply_root_actor IS NOT NULL
        ELSE (parent.reply_root_actor, parent.reply_root_rkey)
            IS DISTINCT FROM (posts.reply_root_actor, posts.reply_root_rkey)
            OR EXISTS (
                SELECT FROM violation
                WHERE violation.actor_id = parent.actor_id AND violation.rkey = parent.rkey AND violation.kind = 3
                    AND violation.ruler = parent.reply_root_actor  -- another was found of what the parent was before
                    AND NOT EXISTS (
                        SELECT FROM judged WHERE judged.actor_id = violation.actor_id AND judged.rkey = violation.rkey
                    )
            )
        END
    UNION
    -- What answers a misplaced reply is misplaced too.
    SELECT posts.* FROM misplaced
    JOIN posts ON posts.reply_parent_actor = misplaced.actor_id AND posts.reply_parent_rkey = misplaced.rkey
    WHERE posts.reply_root_actor IS NOT NULL
)
SELECT posts.actor_id, posts.rkey, 1::smallint AS kind, gate.actor_id AS ruler, posts.reply_parent_actor, posts.reply_parent_rkey
FROM posts
JOIN threadgate AS gate ON gate.actor_id = posts.reply_root_actor AND gate.rkey = posts.reply_root_rkey
WHERE gate.allow IS NOT NULL AND posts.actor_id <> gate.actor_id
    AND NOT (gate.allow & 1 <> 0 AND EXISTS (
        SELECT FROM post AS root
        WHERE root.actor_id = gate.actor_id AND root.rkey = gate.rkey AND posts.actor_id = ANY (root.mentions)
    ))
    AND NOT (gate.allow & 2 <> 0 AND EXISTS (
        SELECT FROM follow WHERE follow.subject_actor = posts.actor_id AND follow.actor_id = gate.actor_id
    ))
    AND NOT (gate.allow & 4 <> 0 AND EXISTS (
        SELECT FROM follow WHERE follow.subject_actor = gate.actor_id AND follow.actor_id = posts.actor_id
    ))
    AND NOT (gate.allow & 8 <> 0 AND EXISTS (
        SELECT FROM unnest(gate.list_actors, gate.list_rkeys) AS allowed (actor_id, rkey)
        JOIN list_item ON list_item.actor_id = allowed.actor_id AND list_item.list_rkey = allowed.rkey
        WHERE list_item.subject_actor = posts.actor_id
    ))
UNION ALL
SELECT posts.actor_id, posts.rkey, 2, gate.actor_id, NULL, NULL
FROM posts
JOIN postgate AS gate ON gate.actor_id = posts.quote_actor AND gate.rkey = posts.quote_rkey
WHERE posts.quote_collection = 1 AND gate.is_embedding_disabled AND posts.actor_id <> gate.actor_id
UNION ALL
SELECT misplaced.actor_id, misplaced.rkey, 3, misplaced.reply_root_actor, NULL, NULL FROM misplaced;

-- name: remove_violations
-- What judged posts do not break any more; with the parents whose replies count again.
DELETE FROM violation
USING (SELECT DISTINCT actor_id, rkey FROM judged) AS judged
WHERE violation.actor_id = judged.actor_id AND violation.rkey = judged.rkey
    AND NOT EXISTS (
        SELECT FROM found
        WHERE found.actor_id = violation.actor_id AND found.rkey = violation.rkey AND found.kind = violation.kind
            AND found.ruler = violation.ruler
            AND (found.reply_parent_actor, found.reply_parent_rkey)
            IS NOT DISTINCT FROM (violation.parent_actor, violation.parent_rkey)
    )
RETURNING violation.ruler, violation.kind, violation.parent_actor, violation.parent_rkey;

-- name: add_violations
-- What is found and was not known; with the parents whose replies count no more.
INSERT INTO violation (actor_id, rkey, kind, ruler, parent_actor, parent_rkey)
SELECT actor_id, rkey, kind, ruler, reply_parent_actor, reply_parent_rkey FROM found ORDER BY actor_id, rkey, kind
ON CONFLICT (actor_id, rkey, kind) DO NOTHING
RETURNING ruler, kind, parent_actor, parent_rkey;

-- name: clear_judged
-- For a second judgement in the same transaction.
DELETE FROM judged;

-- name: clear_found
-- As clear_judged.
DELETE FROM found;

-- name: count_replies_again
-- Each parent has a reply more for each time that it is named.
INSERT INTO post_counts AS held (actor_id, rkey, likes, reposts, replies, quotes)
SELECT actor_id, rkey, 0, 0, count(*), 0
FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS parent (actor_id, rkey)
GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (actor_id, rkey) DO UPDATE SET replies = held.replies + excluded.replies;

-- name: count_replies_no_more
-- Each parent has a reply less for each time that it is named. One without counts has not been counted yet.
UPDATE post_counts SET replies = replies - parent.n
FROM (
    SELECT actor_id, rkey, count(*) AS n
    FROM unnest(%(actors)s::bigint[], %(rkeys)s::bigint[]) AS parent (actor_id, rkey) GROUP BY 1, 2
) AS parent
WHERE post_counts.actor_id = parent.actor_id AND post_counts.rkey = parent.rkey;
