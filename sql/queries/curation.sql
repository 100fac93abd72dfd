-- What accounts make for others: their lists and starter packs, and who is on a list. Newest first by least(created_at, indexed_at),
-- then by unique keys; a cursor is the last row's keys.

-- name: get_lists
-- An account's lists of some purposes (warehouse/rows_curation.py).
SELECT list.actor_id, list.rkey, least(list.created_at, list.indexed_at) AS sort_at
FROM list
WHERE list.actor_id = %(actor)s
    AND list.purpose = ANY(%(purposes)s::smallint[])
    AND (least(list.created_at, list.indexed_at), list.rkey) < (%(before_at)s::timestamptz, %(before_rkey)s::bigint)
ORDER BY least(list.created_at, list.indexed_at) DESC, list.rkey DESC
LIMIT %(limit)s;

-- name: get_starter_packs
-- An account's starter packs.
SELECT starter_pack.actor_id, starter_pack.rkey, least(starter_pack.created_at, starter_pack.indexed_at) AS sort_at
FROM starter_pack
WHERE starter_pack.actor_id = %(actor)s
    AND (least(starter_pack.created_at, starter_pack.indexed_at), starter_pack.rkey)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint)
ORDER BY least(starter_pack.created_at, starter_pack.indexed_at) DESC, starter_pack.rkey DESC
LIMIT %(limit)s;

-- name: get_list_members
-- Who is on a list, with their followers. Of several items of one account only the first (the lowest record key) is listed.
SELECT
    list_item.subject_actor,
    list_item.rkey,
    record_key.text AS rkey_text,
    least(list_item.created_at, list_item.indexed_at) AS sort_at,
    coalesce(actor_counts.followers, 0) AS followers
FROM list_item
LEFT JOIN record_key ON record_key.id = list_item.rkey AND list_item.rkey < 0
LEFT JOIN actor_counts ON actor_counts.actor_id = list_item.subject_actor
WHERE list_item.actor_id = %(actor)s
    AND list_item.list_rkey = %(rkey)s
    AND (least(list_item.created_at, list_item.indexed_at), list_item.rkey)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint)
    AND NOT EXISTS (
        SELECT FROM list_item AS earlier
        WHERE earlier.subject_actor = list_item.subject_actor
            AND earlier.actor_id = list_item.actor_id
            AND earlier.list_rkey = list_item.list_rkey
            AND earlier.rkey < list_item.rkey
    )
ORDER BY least(list_item.created_at, list_item.indexed_at) DESC, list_item.rkey DESC
LIMIT %(limit)s;
