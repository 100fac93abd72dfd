-- Key ranges whose counts are to be computed anew (zeppelin_pipeline/warehouse/dirty_ranges.py).

-- name: mark_dirty_ranges
-- Rows only: no load waits for another's mark. Of the search tables only if they were made.
INSERT INTO dirty_range (aggregate, key_range)
SELECT marked.aggregate, marked.key_range
FROM unnest(%(aggregates)s::text[], %(key_ranges)s::text[]) AS marked (aggregate, key_range)
WHERE marked.aggregate NOT IN ('post_search', 'name_search')
    OR EXISTS (SELECT FROM aggregate_range AS made WHERE made.aggregate = marked.aggregate);

-- name: list_dirty_ranges
-- Every marked range, with its oldest mark and the number of them.
SELECT aggregate, key_range, min(marked_at) AS marked_at, count(*) AS marks
FROM dirty_range GROUP BY 1, 2 ORDER BY 3, 1, 2;

-- name: clear_dirty_ranges
-- The marks that this statement sees: what set them is committed, and later statements of the transaction see it.
DELETE FROM dirty_range WHERE aggregate = %(aggregate)s AND key_range = ANY(%(key_ranges)s) RETURNING key_range;
