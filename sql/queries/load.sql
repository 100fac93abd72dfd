-- The statements of a shard's load (zeppelin_pipeline/warehouse/load.py), in the order in which they run.

-- name: publish_actor
-- Accounts new to the dictionary, in one order for all loaders.
INSERT INTO actor (id, did)
SELECT DISTINCT ON (id) id, did FROM new_actor ORDER BY id, did
ON CONFLICT DO NOTHING;

-- name: collided_actor
-- DIDs whose key another DID holds.
SELECT DISTINCT n.did, a.did FROM new_actor n JOIN actor a USING (id) WHERE a.did <> n.did;

-- name: publish_record_key
-- Record keys that are not TIDs, new to the dictionary.
INSERT INTO record_key (id, text)
SELECT DISTINCT ON (id) id, text FROM new_record_key ORDER BY id, text
ON CONFLICT DO NOTHING;

-- name: collided_record_key
-- Record keys whose key another record key holds.
SELECT DISTINCT n.text, k.text FROM new_record_key n JOIN record_key k USING (id) WHERE k.text <> n.text;

-- name: publish_collection
-- Collections new to the dictionary.
INSERT INTO collection (id, nsid)
SELECT DISTINCT ON (id) id, nsid FROM new_collection ORDER BY id, nsid
ON CONFLICT DO NOTHING;

-- name: collided_collection
-- Collections whose key another collection holds.
SELECT DISTINCT n.nsid, c.nsid FROM new_collection n JOIN collection c USING (id) WHERE c.nsid <> n.nsid;

-- name: lock_shard
-- One load of a shard at a time, whoever starts it; released with the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('load ' || %(shard)s, 0));

-- name: loaded_shard
-- What the ledger says of a shard.
SELECT fingerprint, rows, rejected, entries, quarantined FROM load WHERE shard = %(shard)s;

-- name: create_incoming
-- The shard's repositories as its batches have them.
CREATE TEMPORARY TABLE incoming (
    actor_id bigint PRIMARY KEY, did text NOT NULL, rev bigint, records bigint NOT NULL, fetched_at timestamptz NOT NULL,
    host text NOT NULL, state text NOT NULL, status text, reason text, data_cid bytea, commit bytea,
    handle text, pds text, signing_key text
) ON COMMIT DROP;

-- name: new_repositories
-- Whose rows are written: those that were verified, where nothing is held yet or an older rev is.
SELECT i.did
FROM incoming i LEFT JOIN repo r USING (actor_id)
WHERE i.state = 'synchronized' AND (r.rev IS NULL OR i.rev > r.rev);

-- name: skipped_repositories
-- How many verified ones are held at this rev or a newer one.
SELECT count(*) FROM incoming i JOIN repo r USING (actor_id) WHERE i.state = 'synchronized' AND r.rev >= i.rev;

-- name: replaced_repositories
-- Of these, the ones whose older rows go first.
SELECT i.actor_id
FROM incoming i JOIN repo r USING (actor_id)
WHERE i.state = 'synchronized' AND i.rev > r.rev;

-- name: upsert_repositories
-- What is held of each: a newer rev replaces all; otherwise what was held stays, and the account's status is brought up to date.
INSERT INTO repo AS held (actor_id, rev, records, fetched_at, host, shard, state, status, reason, data_cid, commit)
SELECT actor_id, rev, records, fetched_at, host, %(shard)s, state, status, reason, data_cid, commit
FROM incoming
WHERE state = 'synchronized' OR NOT EXISTS (SELECT FROM repo r WHERE r.actor_id = incoming.actor_id AND r.rev IS NOT NULL)
ON CONFLICT (actor_id) DO UPDATE SET
    (rev, records, fetched_at, host, shard, state, status, reason, data_cid, commit) =
    (excluded.rev, excluded.records, excluded.fetched_at, excluded.host, excluded.shard, excluded.state, excluded.status,
     excluded.reason, excluded.data_cid, excluded.commit)
WHERE held.rev IS NULL OR excluded.rev > held.rev;

-- name: mark_repositories
-- Accounts whose content is kept though their host no longer gives it: hidden by their status.
UPDATE repo r SET status = i.status, reason = i.reason
FROM incoming i
WHERE r.actor_id = i.actor_id AND r.rev IS NOT NULL AND i.state = 'absent' AND i.fetched_at > r.fetched_at;

-- name: upsert_identities
-- DID documents; the one resolved last wins.
INSERT INTO identity AS held (actor_id, resolved_at, handle, pds, signing_key)
SELECT actor_id, fetched_at, handle, pds, signing_key FROM incoming WHERE signing_key IS NOT NULL
ON CONFLICT (actor_id) DO UPDATE SET
    (resolved_at, handle, pds, signing_key) = (excluded.resolved_at, excluded.handle, excluded.pds, excluded.signing_key)
WHERE excluded.resolved_at > held.resolved_at;

-- name: clear_quarantine
-- What the shard set aside before is told anew.
DELETE FROM quarantine WHERE shard = %(shard)s;

-- name: create_set_aside
-- Repositories that extraction set aside, before the time of their fetch is joined to them.
CREATE TEMPORARY TABLE set_aside (
    actor_id bigint NOT NULL, did text NOT NULL, host text NOT NULL, scope text NOT NULL, reason text NOT NULL, detail text,
    records bigint NOT NULL
) ON COMMIT DROP;

-- name: insert_quarantine
-- Repositories set aside whole.
INSERT INTO quarantine (actor_id, did, host, shard, scope, reason, detail, records, fetched_at)
SELECT s.actor_id, s.did, s.host, %(shard)s, s.scope, s.reason, s.detail, s.records, coalesce(i.fetched_at, now())
FROM set_aside s LEFT JOIN incoming i USING (actor_id);

-- name: write_ledger
-- The shard is in.
INSERT INTO load (shard, fingerprint, rows, rejected, entries, quarantined)
VALUES (%(shard)s, %(fingerprint)s, %(rows)s, %(rejected)s, %(entries)s, %(quarantined)s)
ON CONFLICT (shard) DO UPDATE SET
    (fingerprint, rows, rejected, entries, quarantined, loaded_at) =
    (excluded.fingerprint, excluded.rows, excluded.rejected, excluded.entries, excluded.quarantined, now());
