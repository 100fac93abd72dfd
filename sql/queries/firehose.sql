-- What the firehose reads and keeps: keys, cursors, gaps, and the queue of repositories that are to be fetched again.

-- name: signing_keys
-- The signing keys of accounts, as far as they are known.
SELECT actor_id, signing_key FROM identity WHERE actor_id = ANY(%(actors)s::bigint[]) AND signing_key IS NOT NULL;

-- name: lock_stream
-- One consumer a stream: held by the session until it ends.
SELECT pg_try_advisory_lock(hashtextextended(%(relay)s || ' ' || %(endpoint)s, 7));

-- name: unlock_stream
-- The next consumer may begin.
SELECT pg_advisory_unlock(hashtextextended(%(relay)s || ' ' || %(endpoint)s, 7));

-- name: open_stream
-- A new epoch: whoever wrote before writes no more. Gives it, and the cursor.
INSERT INTO stream AS s (relay, endpoint, epoch) VALUES (%(relay)s, %(endpoint)s, 1)
ON CONFLICT (relay, endpoint) DO UPDATE SET epoch = s.epoch + 1
RETURNING epoch, seq;

-- name: advance_stream
-- The cursor, in the transaction of what it stands for; no row when another consumer has taken over. It never goes back.
UPDATE stream SET
    (seq, events, event_at, updated_at) =
    (greatest(seq, %(seq)s::bigint), events + %(events)s, coalesce(%(event_at)s::timestamptz, event_at), now())
WHERE relay = %(relay)s AND endpoint = %(endpoint)s AND epoch = %(epoch)s
RETURNING seq;

-- name: set_stream_cursor
-- Where a stream is to go on, by a person's decision; null is the relay's present.
INSERT INTO stream AS s (relay, endpoint, epoch, seq) VALUES (%(relay)s, %(endpoint)s, 1, %(seq)s)
ON CONFLICT (relay, endpoint) DO UPDATE SET (epoch, seq) = (s.epoch + 1, excluded.seq);

-- name: insert_stream_gap
-- Events that are lost; those that are lost again, as the cursor was set back, are to be looked for again.
INSERT INTO stream_gap (relay, endpoint, after_seq, before_seq, reason)
VALUES (%(relay)s, %(endpoint)s, %(after_seq)s, %(before_seq)s, %(reason)s)
ON CONFLICT (relay, endpoint, after_seq, before_seq) DO UPDATE SET (found_at, repaired_at) = (now(), NULL);

-- name: open_stream_gaps
-- Gaps that nobody has repaired, oldest first.
SELECT relay, endpoint, after_seq, before_seq, found_at FROM stream_gap
WHERE relay = %(relay)s AND repaired_at IS NULL ORDER BY found_at;

-- name: repair_stream_gaps
-- Gaps found before a comparison of all listed revs began: what it found differing is queued.
UPDATE stream_gap SET (repaired_at, listed, queued) = (now(), %(listed)s, %(queued)s)
WHERE relay = %(relay)s AND repaired_at IS NULL AND found_at <= %(began_at)s;

-- name: count_rejected_events
-- Events that broke a rule.
INSERT INTO stream_rejected AS s (relay, endpoint, reason, events, last_did, last_seq, detail, last_at)
SELECT %(relay)s, %(endpoint)s, reason, events, did, seq, detail, now()
FROM unnest(%(reasons)s::text[], %(events)s::bigint[], %(dids)s::text[], %(seqs)s::bigint[], %(details)s::text[])
    AS r (reason, events, did, seq, detail)
ORDER BY reason
ON CONFLICT (relay, endpoint, reason) DO UPDATE SET
    (events, last_did, last_seq, detail, last_at) =
    (s.events + excluded.events, excluded.last_did, excluded.last_seq, excluded.detail, excluded.last_at);

-- name: queue_resync
-- Repositories to be fetched again; one that waits already waits on, but a deletion that was told is looked into at once. It was queued
-- anew by that: a fetch that is under way may have seen too little.
INSERT INTO resync AS r (actor_id, did, reason, due_at)
SELECT actor_id, new.did, new.reason, greatest(now() + %(delay)s::interval, repo.no_resync_before)
FROM unnest(%(actors)s::bigint[], %(dids)s::text[], %(reasons)s::text[]) AS new (actor_id, did, reason)
LEFT JOIN repo USING (actor_id) ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    (queued_at, reason, due_at) = (
        excluded.queued_at,
        CASE WHEN excluded.reason = 'account-deleted' THEN excluded.reason ELSE r.reason END,
        CASE WHEN excluded.reason = 'account-deleted' THEN least(r.due_at, excluded.due_at) ELSE r.due_at END
    );

-- name: recall_deletions
-- Accounts that were said to be deleted and have been said to be active since: nothing is removed of them.
UPDATE resync SET (queued_at, reason) = (now(), 'account-active') FROM repo
WHERE resync.actor_id = ANY(%(actors)s::bigint[]) AND resync.reason = 'account-deleted'
    AND repo.actor_id = resync.actor_id AND repo.status = 'active';

-- name: queue_desynchronized
-- Of the repositories of a batch, those that live commits are ahead of. What is queued already is not queued anew, as their state tells
-- whether a fetch saw enough: an account that writes all the time would never be settled.
INSERT INTO resync (actor_id, did, reason, due_at)
SELECT r.actor_id, a.did, 'desynchronized', greatest(now() + %(delay)s::interval, r.no_resync_before)
FROM repo r JOIN actor a ON a.id = r.actor_id
WHERE r.actor_id = ANY(%(actors)s::bigint[]) AND r.state = 'desynchronized' ORDER BY r.actor_id
ON CONFLICT (actor_id) DO NOTHING;

-- name: queue_reactivated
-- Of accounts that were just said to be active, those of whose repositories nothing is held.
INSERT INTO resync (actor_id, did, reason, due_at)
SELECT r.actor_id, a.did, 'account-active', greatest(now() + %(delay)s::interval, r.no_resync_before)
FROM repo r JOIN actor a ON a.id = r.actor_id
WHERE r.actor_id = ANY(%(actors)s::bigint[]) AND r.status = 'active' AND r.state <> 'synchronized'
ORDER BY r.actor_id
ON CONFLICT (actor_id) DO UPDATE SET queued_at = excluded.queued_at;

-- name: hosts_of_accounts
-- The hosts that the documents of some accounts name, where a stream is that of a host; none where it is a relay's.
SELECT actor_id, pds FROM identity
WHERE actor_id = ANY(%(actors)s::bigint[]) AND pds IS NOT NULL
    AND EXISTS (SELECT FROM pds_host WHERE host = %(host)s AND last_seen_at IS NOT NULL);

-- name: insert_stream_segment
-- A file of events that wait.
INSERT INTO stream_segment (relay, endpoint, first_seq, last_seq, path, events)
VALUES (%(relay)s, %(endpoint)s, %(first_seq)s, %(last_seq)s, %(path)s, %(events)s)
ON CONFLICT (relay, endpoint, first_seq) DO UPDATE SET (last_seq, path, events) = (excluded.last_seq, excluded.path, excluded.events);

-- name: stream_segments
-- The files that wait, in the order of their events.
SELECT first_seq, path FROM stream_segment WHERE relay = %(relay)s AND endpoint = %(endpoint)s ORDER BY first_seq;

-- name: delete_stream_segment
-- A file whose events are in the tables now.
DELETE FROM stream_segment WHERE relay = %(relay)s AND endpoint = %(endpoint)s AND first_seq = %(first_seq)s;

-- name: claim_resyncs
-- Repositories whose time has come, those that have failed before or those that have not, those that waited longest first; locked by the
-- session, so that no two workers fetch one, and that what a killed one was at is free at once. (A filter over a limited subquery is asked
-- row by row, up to the outer limit.)
SELECT actor_id, did, queued_at, failures
FROM (
    SELECT * FROM resync WHERE due_at <= now() AND least(failures, 1) = %(has_failed)s::integer ORDER BY due_at LIMIT 10 * %(limit)s::bigint
) AS due
WHERE pg_try_advisory_lock(hashtext('resync'), hashint8(actor_id))
LIMIT %(limit)s;

-- name: release_resyncs
-- Repositories that this session is at no more.
SELECT pg_advisory_unlock(hashtext('resync'), hashint8(actor_id)) FROM unnest(%(actors)s::bigint[]) AS released (actor_id);

-- name: resynced_states
-- What became of repositories that were fetched again, and why each waits by now.
SELECT q.actor_id, q.reason, r.state, r.status, r.reason, r.fetched_at
FROM resync q LEFT JOIN repo r USING (actor_id) WHERE q.actor_id = ANY(%(actors)s::bigint[]);

-- name: end_resyncs
-- Repositories that are settled, but for those that were queued anew after they were claimed. Gives which.
DELETE FROM resync r USING unnest(%(actors)s::bigint[], %(queued_ats)s::timestamptz[]) AS ended (actor_id, queued_at)
WHERE r.actor_id = ended.actor_id AND r.queued_at = ended.queued_at
RETURNING r.actor_id;

-- name: charge_resyncs
-- What fetches cost, by their number and by records: an account has credit for some at once, and waits when it has used it up.
UPDATE repo SET no_resync_before =
    greatest(no_resync_before, now() - %(credit)s::interval) + %(fetch)s::interval + records * %(record)s::interval
WHERE actor_id = ANY(%(actors)s::bigint[]);

-- name: postpone_resyncs
-- Repositories that could not be settled now.
UPDATE resync r SET (failures, failure, due_at) = (r.failures + 1, u.failure, now() + u.pause)
FROM unnest(%(actors)s::bigint[], %(failures)s::text[], %(pauses)s::interval[]) AS u (actor_id, failure, pause)
WHERE r.actor_id = u.actor_id;

-- name: compare_listed
-- Of listed repositories, those of which we do not hold that rev, or whose account we show otherwise than their host says.
SELECT listed.did FROM unnest(%(actors)s::bigint[], %(dids)s::text[], %(revs)s::bigint[], %(actives)s::boolean[])
    AS listed (actor_id, did, rev, is_active)
LEFT JOIN repo r USING (actor_id)
WHERE r.actor_id IS NULL
    OR (listed.is_active AND (r.rev IS NULL OR r.rev < listed.rev OR r.state = 'desynchronized'))
    OR listed.is_active <> (coalesce(r.status, 'active') = 'active');

-- name: create_told
-- Accounts that a relay lists, collected page by page.
CREATE TEMPORARY TABLE IF NOT EXISTS told (actor_id bigint PRIMARY KEY);
TRUNCATE told;

-- name: insert_told
-- A page of them.
INSERT INTO told SELECT unnest(%(actors)s::bigint[]) ON CONFLICT DO NOTHING;

-- name: queue_untold
-- Accounts that we show and that the relay does not list any more, of hosts of which it lists others: their deletion may be what was lost.
INSERT INTO resync (actor_id, did, reason, due_at)
SELECT r.actor_id, a.did, %(reason)s, greatest(now(), r.no_resync_before)
FROM repo r JOIN actor a ON a.id = r.actor_id
WHERE r.status = 'active' AND NOT EXISTS (SELECT FROM told t WHERE t.actor_id = r.actor_id)
    AND (r.host IS NULL OR r.host IN (SELECT h.host FROM told JOIN repo h USING (actor_id)))
ORDER BY r.actor_id
ON CONFLICT (actor_id) DO UPDATE SET queued_at = excluded.queued_at;

-- name: drop_told
-- They are not needed any more.
DROP TABLE told;

-- name: resync_summary
-- How many repositories wait to be fetched again: in all, due now, and with failures; and since when the first.
SELECT count(*), count(*) FILTER (WHERE due_at <= now()), count(*) FILTER (WHERE failures > 0), min(queued_at) FROM resync;

-- name: stream_summary
-- Every relay's stream with its cursor, what is open, how far behind the present it is and for how long its cursor has not moved: both grow
-- while nothing comes, whoever is to blame. (An event may claim to be of the future.)
SELECT s.relay, s.endpoint, s.seq, s.events, s.event_at, s.updated_at,
    extract(epoch FROM now() - least(s.event_at, s.updated_at))::float8, extract(epoch FROM now() - s.updated_at)::float8,
    (SELECT count(*) FROM stream_gap g WHERE g.relay = s.relay AND g.endpoint = s.endpoint),
    (SELECT count(*) FROM stream_gap g WHERE g.relay = s.relay AND g.endpoint = s.endpoint AND g.repaired_at IS NULL),
    (SELECT coalesce(sum(r.events), 0)::bigint FROM stream_rejected r WHERE r.relay = s.relay AND r.endpoint = s.endpoint),
    (SELECT coalesce(sum(w.events), 0)::bigint FROM stream_segment w WHERE w.relay = s.relay AND w.endpoint = s.endpoint)
FROM stream s WHERE s.endpoint = 'com.atproto.sync.subscribeRepos' ORDER BY s.relay, s.endpoint;
