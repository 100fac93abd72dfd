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

-- name: set_aside_by_host
-- What was set aside, by scope, reason and host, the most first, each with an example: its account, and for a record its place.
WITH records AS (
    SELECT 'record' AS scope, r.reason, coalesce(p.host, '') AS host, count(DISTINCT p.shard) AS shards, count(*) AS items,
        count(*) AS entries, min(r.actor_id) AS actor_id
    FROM record r JOIN repo p USING (actor_id) WHERE r.reason IS NOT NULL GROUP BY 2, 3
), repositories AS (
    SELECT scope, reason, host, count(DISTINCT shard) AS shards, count(*) AS items, sum(records)::bigint AS entries, min(actor_id) AS actor_id
    FROM quarantine GROUP BY 1, 2, 3
), most AS (
    SELECT * FROM (SELECT * FROM records UNION ALL SELECT * FROM repositories) AS found
    ORDER BY entries DESC, items DESC, scope, reason, host LIMIT %(limit)s
)
SELECT m.scope, m.reason, m.host, m.shards, m.items, m.entries, a.did, c.nsid, e.rkey, k.text
FROM most m JOIN actor a ON a.id = m.actor_id
LEFT JOIN LATERAL (
    SELECT collection, rkey FROM record WHERE m.scope = 'record' AND actor_id = m.actor_id AND reason = m.reason
    ORDER BY collection, rkey LIMIT 1
) AS e ON true
LEFT JOIN collection c ON c.id = e.collection LEFT JOIN record_key k ON k.id = e.rkey
ORDER BY m.entries DESC, m.items DESC, m.scope, m.reason, m.host;

-- name: set_aside_by_shard
-- How many record entries were set aside in each shard, the most first.
SELECT shard, sum(counted.n::bigint)::bigint, string_agg(counted.reason || ' ' || counted.n, ', ' ORDER BY counted.n::bigint DESC)
FROM load, jsonb_each_text(load.rejected) AS counted (reason, n) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %(limit)s;
