-- What `zeppelin status` and the demo's summary show of the whole warehouse.

-- name: status_tally
-- The ledger in three numbers: shards, record entries, and entries set aside with their repository.
SELECT count(*), coalesce(sum(entries), 0)::bigint, coalesce(sum(quarantined), 0)::bigint FROM load;

-- name: status_hosts
-- Hosts by state.
SELECT state, count(*) FROM pds_host GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: status_repositories
-- Repositories by state, with the reason where there is one.
SELECT concat_ws(', ', state, reason), count(*) FROM repo GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: status_rows
-- Rows by table, as the ledger counted them.
SELECT counted.name, sum(counted.n::bigint)::bigint FROM load, jsonb_each_text(load.rows) AS counted (name, n)
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: status_rejected
-- Record entries by the reason for which they were set aside, alone or with their whole repository.
SELECT counted.reason, sum(counted.n::bigint)::bigint FROM load, jsonb_each_text(load.rejected) AS counted (reason, n)
GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: status_bytes
-- Bytes of all tables with their indexes.
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'm');

-- name: status_best_known
-- The account with the most followers, to show a request that has an answer.
SELECT actor.did FROM actor_counts JOIN actor ON actor.id = actor_counts.actor_id
ORDER BY actor_counts.followers DESC, actor.did LIMIT 1;
