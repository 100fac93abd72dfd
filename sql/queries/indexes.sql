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

-- name: table_bytes
-- Bytes of a table without its indexes.
SELECT pg_table_size(to_regclass(quote_ident(%(table)s)));

-- name: index_bytes
-- Bytes of an index.
SELECT pg_relation_size(to_regclass(quote_ident(%(index)s)));

-- name: index_progress
-- How far each index is that is built in this database: by whom (the name of one that is not committed is not seen), what is done, how much of it.
SELECT p.pid, p.phase,
    CASE WHEN p.tuples_total > 0 THEN p.tuples_done::float8 / p.tuples_total
        WHEN p.blocks_total > 0 THEN p.blocks_done::float8 / p.blocks_total ELSE 0 END
FROM pg_stat_progress_create_index p
WHERE p.datname = current_database();

-- name: lock_index
-- One builder of an index at a time, whoever it is: until it is unlocked, or its session ends.
SELECT pg_advisory_lock(hashtextextended('index ' || %(index)s, 0));

-- name: unlock_index
-- The index stands, or could not be built.
SELECT pg_advisory_unlock(hashtextextended('index ' || %(index)s, 0));

-- name: duplicate_keys
-- Keys that several rows have: how many such keys and rows there are, and the first keys with their rows.
SELECT count(*) OVER (), (sum(count(*)) OVER ())::bigint, count(*), {keys}
FROM {table} GROUP BY {keys} HAVING count(*) > 1 ORDER BY {keys} LIMIT %(limit)s;

-- name: text_of_actor
-- An account's DID.
SELECT did FROM actor WHERE id = %(id)s;

-- name: text_of_record_key
-- A record key that is not a TID.
SELECT text FROM record_key WHERE id = %(id)s;

-- name: text_of_collection
-- A collection's name.
SELECT nsid FROM collection WHERE id = %(id)s;
