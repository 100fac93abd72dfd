-- Labels: what the API shows of them, and what the pipeline merges (zeppelin_pipeline/labels/).

-- name: get_labels
-- Labels that stand, of some subjects by some labelers, and takedowns by those whose takedowns are enacted.
SELECT label.value, label.raw
FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[]) AS subject (actor_id, collection, rkey)
JOIN label USING (actor_id, collection, rkey)
WHERE NOT label.is_negated AND (label.expires_at IS NULL OR label.expires_at > now())
    AND (
        label.labeler = ANY(%(labelers)s::bigint[])
        OR (label.labeler = ANY(%(enforced)s::bigint[]) AND label.value = ANY(%(takedowns)s::text[]))
    );

-- name: get_labelers
-- Accounts that are labelers: shown, and with the record that says so.
SELECT actor.did FROM labeler
JOIN actor ON actor.id = labeler.actor_id
LEFT JOIN repo ON repo.actor_id = labeler.actor_id
WHERE repo.status IS NULL OR repo.status = 'active';

-- name: known_labels
-- Of some keys, those of which the labeler said something before.
SELECT label.actor_id, label.collection, label.rkey, label.value, label.cid
FROM unnest(%(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[], %(values)s::text[], %(cids)s::bytea[])
    AS asked (actor_id, collection, rkey, value, cid)
JOIN label USING (actor_id, collection, rkey, value, cid)
WHERE label.labeler = %(labeler)s;

-- name: labeler_rows
-- How many rows a labeler has; its row is held until the transaction ends.
SELECT rows FROM labeler_state WHERE actor_id = %(actor)s FOR UPDATE;

-- name: count_label_rows
-- Rows that a labeler has now in addition.
UPDATE labeler_state SET rows = rows + %(rows)s WHERE actor_id = %(actor)s;

-- name: merge_labels
-- Labels of one labeler, one of each key; the later one stands, whichever came first.
INSERT INTO label AS held (actor_id, collection, rkey, labeler, value, cid, created_at, expires_at, is_negated, raw)
SELECT actor_id, collection, rkey, %(labeler)s, value, cid, created_at, expires_at, is_negated, raw
FROM unnest(
    %(actors)s::bigint[], %(collections)s::bigint[], %(rkeys)s::bigint[], %(values)s::text[], %(cids)s::bytea[],
    %(created_at)s::timestamptz[], %(expires_at)s::timestamptz[], %(negated)s::boolean[], %(raws)s::bytea[]
) AS new (actor_id, collection, rkey, value, cid, created_at, expires_at, is_negated, raw)
ON CONFLICT (actor_id, collection, rkey, labeler, value, cid) DO UPDATE SET
    (created_at, expires_at, is_negated, raw) =
    (excluded.created_at, excluded.expires_at, excluded.is_negated, excluded.raw)
WHERE (held.created_at, held.is_negated, held.raw) < (excluded.created_at, excluded.is_negated, excluded.raw);

-- name: reject_labels
-- The first labels of a labeler that were refused, up to a limit.
INSERT INTO label_rejected (actor_id, seq, position, reason, raw)
SELECT %(actor)s, new.*
FROM unnest(%(seqs)s::bigint[], %(positions)s::integer[], %(reasons)s::text[], %(raws)s::bytea[])
    AS new (seq, position, reason, raw)
LIMIT greatest(%(limit)s - (SELECT count(*) FROM label_rejected WHERE actor_id = %(actor)s), 0)
ON CONFLICT DO NOTHING;

-- name: note_labeler
-- A labeler that is followed, and where.
INSERT INTO labeler_state (actor_id, did, url) VALUES (%(actor)s, %(did)s, %(url)s)
ON CONFLICT (actor_id) DO UPDATE SET (did, url) = (excluded.did, excluded.url);

-- name: find_labelers
-- Accounts that are shown and say by a record that they are labelers, with what their documents say of it. Where they are too many, those
-- that have been followed go first, unless they have been down for long, and those whose documents are silent last: anybody can make more.
SELECT actor.did, identity.labeler, identity.label_key FROM labeler
JOIN actor ON actor.id = labeler.actor_id
LEFT JOIN identity ON identity.actor_id = labeler.actor_id
LEFT JOIN repo ON repo.actor_id = labeler.actor_id
LEFT JOIN labeler_state AS known ON known.actor_id = labeler.actor_id
WHERE repo.status IS NULL OR repo.status = 'active'
ORDER BY
    identity.labeler IS NULL OR identity.label_key IS NULL,
    known.actor_id IS NULL OR coalesce(known.failed_at < now() - interval '3 days', false),
    labeler.actor_id
LIMIT %(limit)s;

-- name: note_labeler_failures
-- Why labelers' streams do not flow, null for those that do, and since when; that it was looked at is noted now and then.
UPDATE labeler_state l SET
    (failure, failed_at, looked_at) =
    (told.failure, CASE WHEN told.failure IS NOT NULL THEN coalesce(l.failed_at, now()) END, now())
FROM unnest(%(actors)s::bigint[], %(failures)s::text[]) AS told (actor_id, failure)
WHERE l.actor_id = told.actor_id
    AND (l.failure IS DISTINCT FROM told.failure OR l.looked_at IS NULL OR l.looked_at < now() - interval '30 seconds');

-- name: overview_labelers
-- Labelers with their labels, and since when and why their streams do not flow, as of when: those that do not first.
SELECT did, rows, failure, failed_at, looked_at FROM labeler_state ORDER BY failure IS NULL, rows DESC, did LIMIT %(limit)s;

-- name: status_labels
-- Labelers that are followed, those whose streams do not flow, their labels, and those refused.
SELECT 'labelers', count(*) FROM labeler_state
UNION ALL SELECT 'down', count(*) FROM labeler_state WHERE failure IS NOT NULL
UNION ALL SELECT 'labels', coalesce(sum(rows), 0)::bigint FROM labeler_state
UNION ALL SELECT 'refused', coalesce(sum(events), 0)::bigint FROM stream_rejected
    WHERE endpoint = 'com.atproto.label.subscribeLabels';
