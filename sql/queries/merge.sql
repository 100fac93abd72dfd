-- Merging whole repositories into tables that hold older revs of them (zeppelin_pipeline/warehouse/merge.py). The repositories are those
-- of the temporary table `chosen` that are merged. In braces: what differs from table to table.

-- name: forget_ahead_records
-- What live commits set, up to the rev that is now held: it is in what is merged.
DELETE FROM ahead_record a USING chosen c WHERE a.actor_id = c.actor_id AND a.rev <= c.rev;

-- name: forget_ahead_commits
-- The live commits themselves.
DELETE FROM ahead_commit a USING chosen c WHERE a.actor_id = c.actor_id AND a.rev <= c.rev;

-- name: create_staged
-- A table of the same columns for the new rows.
CREATE TEMPORARY TABLE {staged} (LIKE {table}) ON COMMIT DROP;

-- name: compare_staged
-- Keys that are on one side alone, or whose rows differ in more than the time at which they were seen; one pass over the table. Records
-- that live commits have set since are left out on both sides.
CREATE TEMPORARY TABLE {changed} ON COMMIT DROP AS
SELECT {keys}, CASE WHEN old.created IS NULL THEN 'created' WHEN new.created IS NULL THEN 'deleted' ELSE 'updated' END AS change
FROM (
    SELECT t.*, true AS created FROM {table} t JOIN chosen c ON c.actor_id = t.actor_id AND c.is_merged
    WHERE NOT EXISTS (SELECT FROM ahead_record a WHERE a.actor_id = t.actor_id AND a.collection = {collection} AND a.rkey = t.rkey)
) AS old
FULL JOIN (
    SELECT t.*, true AS created FROM {staged} t
    WHERE NOT EXISTS (SELECT FROM ahead_record a WHERE a.actor_id = t.actor_id AND a.collection = {collection} AND a.rkey = t.rkey)
) AS new USING ({keys})
WHERE old.created IS NULL OR new.created IS NULL OR ({old_values}) IS DISTINCT FROM ({new_values});

-- name: count_changed
-- How many rows of each change.
SELECT change, count(*) FROM {changed} GROUP BY 1;

-- name: delete_changed
-- Rows that are gone or replaced; gives the key ranges that they counted in.
WITH gone AS (
    DELETE FROM {table} t USING {changed} c
    WHERE {same_key} AND c.change <> 'created'
    RETURNING {counted}
)
SELECT DISTINCT {ranges} FROM gone;

-- name: insert_changed
-- Rows that are new or replace others; gives the key ranges that they count in.
WITH come AS (
    INSERT INTO {table}
    SELECT t.* FROM {staged} t JOIN {changed} c ON {same_key} WHERE c.change <> 'deleted'
    RETURNING {returned}
)
SELECT DISTINCT {ranges} FROM come;

-- name: merged_ahead_commits
-- Live commits above the revs that are held now, oldest first within each repository.
SELECT a.actor_id, r.rev, r.data_cid, r.records, a.rev, a.since, a.prev_data_cid, a.data_cid, a.is_sync, a.records
FROM ahead_commit a JOIN chosen c USING (actor_id) JOIN repo r USING (actor_id)
ORDER BY a.actor_id, a.rev;

-- name: advance_repositories
-- Repositories that live commits follow on without a gap are where the last of these leaves them.
UPDATE repo r SET (rev, data_cid, commit, records) = (a.rev, a.data_cid, a.commit, u.records)
FROM unnest(%(actors)s::bigint[], %(revs)s::bigint[], %(records)s::bigint[]) AS u (actor_id, rev, records)
JOIN ahead_commit a ON a.actor_id = u.actor_id AND a.rev = u.rev
WHERE r.actor_id = u.actor_id;

-- name: forget_reached_records
-- What these commits set is no longer ahead.
DELETE FROM ahead_record a USING repo r WHERE a.actor_id = ANY(%(actors)s) AND r.actor_id = a.actor_id AND a.rev <= r.rev;

-- name: forget_reached_commits
-- The commits themselves.
DELETE FROM ahead_commit a USING repo r WHERE a.actor_id = ANY(%(actors)s) AND r.actor_id = a.actor_id AND a.rev <= r.rev;

-- name: desynchronize_repositories
-- Repositories that live commits are ahead of, with a gap between.
UPDATE repo SET state = 'desynchronized' WHERE actor_id = ANY(%(actors)s);
