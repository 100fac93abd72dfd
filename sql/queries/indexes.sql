-- name: standing_indexes
-- Every index of the warehouse's schema, and whether it is whole.
SELECT c.relname::text, i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace;

-- name: relation_sizes
-- Bytes of each table (its rows and their overflow) and of its indexes, and about how many rows it has.
SELECT c.relname::text, pg_table_size(c.oid), pg_indexes_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
ORDER BY pg_total_relation_size(c.oid) DESC;
