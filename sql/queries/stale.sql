-- Which repositories are to be fetched again: what hosts list against what is held. All within one transaction.

-- name: create_listed
-- A part of what hosts list, filled and emptied again, and what is found stale by it. `place` numbers the host.
CREATE TEMPORARY TABLE listed (
    actor_id bigint NOT NULL, rev bigint, active boolean NOT NULL, host text NOT NULL, place integer NOT NULL,
    listed_at timestamptz NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE stale (
    actor_id bigint NOT NULL, shard text NOT NULL, place integer, rev bigint, reason text NOT NULL, since timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE listed_ever (actor_id bigint NOT NULL, place integer NOT NULL) ON COMMIT DROP;

-- name: collect_listed
-- Of this part of the listings: repositories whose rev moved, and accounts that are not what they were. The host that lists it may be
-- another than we hold it from: the account may have moved there. A status that an event told since stands.
INSERT INTO stale (actor_id, shard, place, rev, reason, since, fetched_at)
SELECT actor_id, r.shard, l.place, l.rev, CASE WHEN l.active AND l.rev > r.rev THEN 'rev' ELSE 'status' END, l.listed_at, r.fetched_at
FROM listed l JOIN repo r USING (actor_id)
WHERE r.shard IS NOT NULL AND r.fetched_at < least(l.listed_at, %(fetched_before)s)
    AND (l.active AND l.rev > r.rev
        OR coalesce(r.told_at < l.listed_at, true) AND (
            l.active AND r.state IN ('synchronized', 'absent') AND r.status <> 'active'
            OR NOT l.active AND r.status = 'active' AND l.host = r.host));

-- name: behind_listed
-- Of this part of the listings: repositories that their host has at an older rev than we hold, though ours is an hour older than the
-- listing; by host. The host went back, or serves what it should not: what we hold stays.
SELECT l.host, count(*)
FROM listed l JOIN repo r USING (actor_id)
WHERE l.active AND l.host = r.host AND l.rev < r.rev AND to_timestamp((r.rev >> 10) / 1e6) < l.listed_at - interval '1 hour'
GROUP BY 1;

-- name: clear_listed
-- Make room for the next part; who was in it is remembered.
INSERT INTO listed_ever SELECT actor_id, place FROM listed;
TRUNCATE listed;

-- name: collect_unlisted
-- Accounts that are shown and that their host lists no more, in a list that was begun after they were last heard of. They may be gone or
-- have moved; absence alone says neither, so they are asked for.
INSERT INTO stale (actor_id, shard, place, rev, reason, since, fetched_at)
SELECT r.actor_id, r.shard, NULL, NULL, 'unlisted', passed.began_at, r.fetched_at
FROM unnest(%(hosts)s::text[], %(places)s::integer[], %(began_at)s::timestamptz[]) AS passed (host, place, began_at)
JOIN repo r USING (host)
WHERE r.shard IS NOT NULL AND r.status = 'active'
    AND greatest(r.fetched_at, r.told_at) < passed.began_at AND r.fetched_at < %(fetched_before)s
    AND NOT EXISTS (SELECT FROM listed_ever l WHERE l.actor_id = r.actor_id AND l.place = passed.place);

-- name: collect_due
-- Repositories that could not be had or verified, or whose account is not active, and that were last asked for long ago; those that missed
-- a live commit at once.
INSERT INTO stale (actor_id, shard, place, rev, reason, since, fetched_at)
SELECT actor_id, shard, NULL, NULL, 'due', fetched_at, fetched_at
FROM repo
WHERE shard IS NOT NULL AND (state = 'desynchronized'
    OR (state <> 'synchronized' OR status <> 'active') AND fetched_at < %(due_before)s);

-- name: count_stale
-- How many repositories are stale, each once.
SELECT count(DISTINCT actor_id) FROM stale;

-- name: chosen_stale
-- The stale repositories that were asked for longest ago, each once, in order of shards: by the highest rev that is listed, and of the
-- hosts that list it by one that gives it.
SELECT s.shard, a.did, s.place, s.reason, s.since
FROM (
    SELECT * FROM (SELECT DISTINCT ON (actor_id) * FROM stale ORDER BY actor_id, rev DESC NULLS LAST, reason) AS once
    ORDER BY fetched_at, actor_id LIMIT %(limit)s
) AS s JOIN actor a ON a.id = s.actor_id
ORDER BY s.shard, a.did;

-- name: shards_of_accounts
-- In which shard each of some accounts is.
SELECT a.did, r.shard FROM repo r JOIN actor a ON a.id = r.actor_id WHERE r.actor_id = ANY(%(actors)s) AND r.shard IS NOT NULL
ORDER BY r.shard, a.did;

-- name: accept_older
-- Repositories of which whatever rev is loaded next is taken, by a person's decision.
UPDATE repo SET (rev, state) = (0, 'desynchronized') WHERE actor_id = ANY(%(actors)s) AND rev IS NOT NULL;
