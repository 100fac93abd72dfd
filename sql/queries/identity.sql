-- Who accounts are (zeppelin_pipeline/identity/): documents, the queue of those to be resolved anew, handles.

-- name: known_identity
-- What an account's document said when it was resolved last.
SELECT handle, pds, signing_key, label_key, labeler, feed_generator FROM identity WHERE actor_id = %(actor)s;

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

-- name: due_handles
-- Handles to be looked at now, those that waited longest first.
SELECT identity.actor_id, actor.did, identity.handle, identity.handle_state, identity.handle_failures
FROM identity JOIN actor ON actor.id = identity.actor_id
WHERE identity.handle IS NOT NULL AND identity.handle_check_at <= %(now)s
ORDER BY identity.handle_check_at LIMIT %(limit)s;

-- name: store_handle_verdicts
-- What was found of handles that are still claimed.
UPDATE identity SET (handle_state, verified_at, handle_check_at, handle_failures) =
    (found.state, coalesce(found.verified_at, identity.verified_at), found.check_at, found.failures)
FROM unnest(%(actors)s::bigint[], %(handles)s::text[], %(states)s::text[], %(verified_at)s::timestamptz[],
    %(check_at)s::timestamptz[], %(failures)s::smallint[]) AS found (actor_id, handle, state, verified_at, check_at, failures)
WHERE identity.actor_id = found.actor_id AND identity.handle = found.handle;

-- name: dispossess_handles
-- Who held a handle that another account was just seen to have, loses it, and is looked at again.
UPDATE identity SET (handle_state, handle_check_at) = ('invalid', %(now)s)
FROM unnest(%(actors)s::bigint[], %(handles)s::text[]) AS won (actor_id, handle)
WHERE identity.handle = won.handle AND identity.actor_id <> won.actor_id AND identity.handle_state = 'verified';

-- name: count_handles
-- Handles by state, and how many of each are due.
SELECT handle_state, count(*), count(*) FILTER (WHERE handle_check_at <= %(now)s)
FROM identity WHERE handle IS NOT NULL GROUP BY handle_state;

-- name: has_due
-- Whether there is anything to do for the asset verified_handles.
SELECT EXISTS (SELECT FROM identity WHERE handle IS NOT NULL AND handle_check_at <= now())
    OR EXISTS (SELECT FROM identity_refresh WHERE next_try_at <= now());
