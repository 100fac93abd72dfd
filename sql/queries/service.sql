-- What the API asks about the warehouse itself.

-- name: ping
-- Whether the warehouse answers and has its tables.
SELECT EXISTS (SELECT FROM repo) AS has_repositories;

-- name: overview_rows
-- Rows of each table of records, as the server estimates them since its last look: a count would read them all.
SELECT c.relname, greatest(c.reltuples, 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname = ANY (%(tables)s) ORDER BY 2 DESC, 1;

-- name: overview_aggregates
-- Each derived table: how many ranges it has, when the oldest was recomputed, and how many have changed since.
SELECT a.aggregate, count(*), min(a.computed_at),
    (SELECT count(DISTINCT d.key_range) FROM dirty_range AS d WHERE d.aggregate = a.aggregate)
FROM aggregate_range AS a GROUP BY 1 ORDER BY 1;
