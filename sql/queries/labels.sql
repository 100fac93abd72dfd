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
