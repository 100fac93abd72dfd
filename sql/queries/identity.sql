-- Who accounts are (zeppelin_pipeline/identity/): documents, the queue of those to be resolved anew, handles.

-- name: name_actors
-- Accounts new to the dictionary, in one order for all writers.
INSERT INTO actor (id, did)
SELECT id, did FROM unnest(%(actors)s::bigint[], %(dids)s::text[]) AS named (id, did) ORDER BY id
ON CONFLICT DO NOTHING;

-- name: collided_actors
-- Of some accounts, those whose key another DID holds.
SELECT named.did FROM unnest(%(actors)s::bigint[], %(dids)s::text[]) AS named (id, did)
JOIN actor USING (id) WHERE actor.did <> named.did;

-- name: store_identities
-- Documents as of a time; of two the later one wins. A handle that is new is to be verified, and so are all when told.
INSERT INTO identity AS held
    (actor_id, resolved_at, handle, pds, signing_key, label_key, labeler, feed_generator)
SELECT * FROM unnest(
    %(actors)s::bigint[], %(resolved_at)s::timestamptz[], %(handles)s::text[], %(pds)s::text[], %(signing_keys)s::text[],
    %(label_keys)s::text[], %(labelers)s::text[], %(feed_generators)s::text[]
) AS given (actor_id, resolved_at, handle, pds, signing_key, label_key, labeler, feed_generator)
ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    (resolved_at, handle, pds, signing_key, label_key, labeler, feed_generator,
     handle_state, verified_at, handle_check_at, handle_failures) =
    (greatest(held.resolved_at, excluded.resolved_at), excluded.handle, excluded.pds, excluded.signing_key,
     excluded.label_key, excluded.labeler, excluded.feed_generator,
     CASE WHEN held.handle = excluded.handle THEN held.handle_state ELSE 'pending' END,
     CASE WHEN held.handle = excluded.handle THEN held.verified_at END,
     CASE WHEN held.handle = excluded.handle AND NOT %(is_recheck)s THEN held.handle_check_at ELSE 'epoch' END,
     CASE WHEN held.handle = excluded.handle THEN held.handle_failures ELSE 0 END)
WHERE excluded.resolved_at >= held.resolved_at OR (
    -- What loads store of a document is less than what the mirror knows of the operation that it was made from.
    %(is_mirror)s AND (held.handle, held.pds, held.signing_key)
    IS NOT DISTINCT FROM (excluded.handle, excluded.pds, excluded.signing_key)
);

-- name: request_refresh
-- Accounts whose documents are to be resolved anew.
INSERT INTO identity_refresh AS known (actor_id, did, requested_at, next_try_at, failures)
SELECT actor_id, did, clock_timestamp(), clock_timestamp(), 0
FROM unnest(%(actors)s::bigint[], %(dids)s::text[]) AS asked (actor_id, did) ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    (requested_at, next_try_at, failures) = (excluded.requested_at, excluded.next_try_at, 0);

-- name: due_refreshes
-- Accounts to be resolved now, those that waited longest first.
SELECT did, requested_at, failures FROM identity_refresh WHERE next_try_at <= clock_timestamp()
ORDER BY next_try_at LIMIT %(limit)s;

-- name: end_refreshes
-- Accounts that were resolved, unless another event came meanwhile.
DELETE FROM identity_refresh USING unnest(%(actors)s::bigint[], %(requested_at)s::timestamptz[]) AS done (id, asked_at)
WHERE actor_id = done.id AND requested_at = done.asked_at;

-- name: postpone_refreshes
-- Accounts that could not be resolved for now.
UPDATE identity_refresh SET (failures, next_try_at) = (failures + 1, clock_timestamp() + waiting.pause)
FROM unnest(%(actors)s::bigint[], %(pauses)s::interval[]) AS waiting (id, pause)
WHERE actor_id = waiting.id;

-- name: count_refreshes
-- How many accounts wait to be resolved.
SELECT count(*) FROM identity_refresh;
