-- Whether accounts are shown, as their hosts say live (zeppelin_pipeline/warehouse/standing.py).

-- name: set_standings
-- The status that was observed last wins, and its reason goes; that of the content that is held stays. What comes back from
-- a deletion has nothing left, and is to be fetched again.
INSERT INTO repo AS held (actor_id, records, fetched_at, told_at, state, status)
SELECT actor_id, 0, 'epoch', seen_at, CASE WHEN status = 'active' THEN 'desynchronized' ELSE 'absent' END, status
FROM unnest(%(actors)s::bigint[], %(statuses)s::text[], %(seen_ats)s::timestamptz[]) AS said (actor_id, status, seen_at)
ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    status = excluded.status,
    reason = CASE WHEN held.reason = 'former-key' AND held.status <> 'deleted' THEN held.reason END,
    told_at = excluded.told_at,
    rev = CASE WHEN held.status = 'deleted' THEN NULL ELSE held.rev END,
    state = CASE WHEN held.status = 'deleted' THEN 'desynchronized' ELSE held.state END
WHERE excluded.told_at >= greatest(held.fetched_at, held.told_at);

-- name: delete_repositories
-- Nothing is held any more of accounts that were deleted, but the rev up to which their commits are known. An account of which something
-- was observed after that is left as it is.
INSERT INTO repo AS held (actor_id, records, fetched_at, told_at, state, status)
SELECT actor_id, 0, 'epoch', %(seen_at)s, 'absent', 'deleted' FROM unnest(%(actors)s::bigint[]) AS gone (actor_id) ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    (rev, records, told_at, state, status, reason, data_cid, commit) = (
        greatest(held.rev, (SELECT max(a.rev) FROM ahead_commit a WHERE a.actor_id = held.actor_id)),
        0, excluded.told_at, 'absent', 'deleted', NULL, NULL, NULL
    )
WHERE excluded.told_at >= greatest(held.fetched_at, held.told_at)
RETURNING actor_id;

-- name: delete_rows_of_accounts
-- All of a table's rows of some accounts; gives how many they were and the key ranges that they counted in.
WITH gone AS (DELETE FROM {table} t WHERE t.actor_id = ANY(%(actors)s) RETURNING {counted})
SELECT count(*), {ranges} FROM gone GROUP BY {groups};

-- name: forget_ahead_records_of_accounts
-- What was ahead of it.
DELETE FROM ahead_record WHERE actor_id = ANY(%(actors)s);

-- name: forget_ahead_commits_of_accounts
-- What was ahead of it.
DELETE FROM ahead_commit WHERE actor_id = ANY(%(actors)s);
