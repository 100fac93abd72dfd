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

-- name: load_epoch
-- How much has been loaded so far.
SELECT count(*), coalesce(sum(entries), 0)::bigint, coalesce(sum(quarantined), 0)::bigint, max(loaded_at) FROM load;

-- name: index_sizes
-- Bytes of each index, with its table.
SELECT t.relname::text, c.relname::text, pg_relation_size(c.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = current_schema()::regnamespace
ORDER BY t.relname, pg_relation_size(c.oid) DESC;
