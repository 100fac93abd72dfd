-- The statements of a shard's load (zeppelin_pipeline/warehouse/load.py), in the order in which they run.

-- name: publish_actor
-- Accounts new to the dictionary, in one order for all loaders.
INSERT INTO actor (id, did)
SELECT DISTINCT ON (n.id) n.id, n.did FROM new_actor n LEFT JOIN actor held USING (id) WHERE held.id IS NULL ORDER BY n.id, n.did
ON CONFLICT DO NOTHING;

-- name: collided_actor
-- DIDs whose key another DID holds.
SELECT DISTINCT n.did, a.did FROM new_actor n JOIN actor a USING (id) WHERE a.did <> n.did;

-- name: publish_record_key
-- Record keys that are not TIDs, new to the dictionary.
INSERT INTO record_key (id, text)
SELECT DISTINCT ON (n.id) n.id, n.text FROM new_record_key n LEFT JOIN record_key held USING (id) WHERE held.id IS NULL ORDER BY n.id, n.text
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
SELECT fingerprint, rows, rejected, entries, quarantined, version FROM load WHERE shard = %(shard)s;

-- name: create_incoming
-- The shard's repositories as its batches have them; rev is null where they were not verified.
CREATE TEMPORARY TABLE incoming (
    actor_id bigint PRIMARY KEY, did text NOT NULL, rev bigint, records bigint NOT NULL, fetched_at timestamptz NOT NULL,
    host text NOT NULL, state text NOT NULL, status text, reason text, data_cid bytea, commit bytea,
    handle text, pds text, signing_key text
) ON COMMIT DROP;

-- name: claim_repositories
-- Take those of which nothing is known yet, in one order for all loaders; gives their keys. The others are locked by it as they are: no
-- other load decides about a repository until this one has ended, and two loads cannot wait for each other.
INSERT INTO repo AS held (actor_id, rev, records, fetched_at, host, shard, state, status, reason, data_cid, commit)
SELECT actor_id, rev, records, fetched_at, host, %(shard)s::text, state, status, reason, data_cid, commit
FROM incoming ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET shard = held.shard WHERE false
RETURNING actor_id;

-- name: create_chosen
-- Repositories known before whose content is taken; merged where rows of them may be held, copied straight in otherwise.
CREATE TEMPORARY TABLE chosen (
    actor_id bigint PRIMARY KEY, did text NOT NULL, rev bigint NOT NULL, is_merged boolean NOT NULL
) ON COMMIT DROP;

-- name: choose_repositories
-- Those of which nothing is held or an older rev; where rows are to be compared anew, those at the same commit too. One that was deleted
-- comes back only with what was fetched after that; one of whose live commits too many were ahead to be remembered, only with a later rev.
INSERT INTO chosen (actor_id, did, rev, is_merged)
SELECT i.actor_id, i.did, i.rev,
    r.rev IS NOT NULL OR EXISTS (SELECT FROM ahead_commit a WHERE a.actor_id = i.actor_id)
FROM incoming i JOIN repo r USING (actor_id)
WHERE i.rev IS NOT NULL AND r.actor_id <> ALL(%(claimed)s)
    AND NOT EXISTS (SELECT FROM ahead_commit a WHERE a.actor_id = i.actor_id AND a.is_cut AND a.rev > i.rev)
    AND CASE
        WHEN r.status = 'deleted' THEN i.fetched_at > greatest(r.fetched_at, r.told_at)
        ELSE r.rev IS NULL OR r.rev < i.rev OR (%(anew)s::boolean AND r.rev = i.rev AND r.data_cid = i.data_cid)
    END;

-- name: copied_repositories
-- Whose rows are copied straight in.
SELECT i.did FROM incoming i LEFT JOIN chosen c USING (actor_id)
WHERE i.rev IS NOT NULL AND (i.actor_id = ANY(%(claimed)s) OR NOT c.is_merged);

-- name: merged_repositories
-- Whose rows are merged with those that are held.
SELECT did FROM chosen WHERE is_merged;

-- name: mark_repositories
-- What was seen last of an account decides its status, with content or without it: content that is held stays when its host no
-- longer gives it, hidden by the status. A failure says nothing of the account, an older commit's key nothing of a newer one. What an
-- event told since stays.
UPDATE repo r SET
    (status, reason) = (
        SELECT i.status, CASE WHEN i.rev < r.rev THEN NULL ELSE i.reason END WHERE r.told_at IS NULL OR i.fetched_at > r.told_at
        UNION ALL
        SELECT r.status, r.reason WHERE i.fetched_at <= r.told_at
    ),
    fetched_at = i.fetched_at,
    host = CASE WHEN i.rev >= r.rev OR r.host IS NULL THEN i.host ELSE r.host END,
    shard = coalesce(r.shard, %(shard)s::text)
FROM incoming i
WHERE r.actor_id = i.actor_id AND i.state IN ('synchronized', 'absent')
    AND (r.state IN ('failed', 'invalid') OR i.fetched_at > r.fetched_at);

-- name: hold_repositories
-- What is held now of those that were known before.
UPDATE repo r SET (rev, records, host, shard, state, data_cid, commit) =
    (i.rev, i.records, i.host, coalesce(%(shard)s::text, r.shard), i.state, i.data_cid, i.commit)
FROM chosen c JOIN incoming i USING (actor_id)
WHERE r.actor_id = c.actor_id;

-- name: note_repositories
-- Where nothing is held still, the last outcome. A failure does not undo a deletion, and says nothing of the account's status.
UPDATE repo r SET (records, fetched_at, host, shard, state, status, reason, data_cid, commit) = (
    i.records, i.fetched_at, i.host, coalesce(%(shard)s::text, r.shard), i.state,
    CASE WHEN i.state = 'failed' THEN r.status ELSE i.status END, i.reason, i.data_cid, i.commit
)
FROM incoming i
WHERE r.actor_id = i.actor_id AND i.rev IS NULL AND r.rev IS NULL AND i.fetched_at >= greatest(r.fetched_at, r.told_at)
    AND (r.status IS DISTINCT FROM 'deleted' OR i.state = 'absent');

-- name: upsert_identities
-- DID documents; the one resolved last wins. What the mirror of the PLC directory holds is newer than any pack.
INSERT INTO identity AS held (actor_id, resolved_at, handle, pds, signing_key)
SELECT actor_id, fetched_at, handle, pds, signing_key FROM incoming
WHERE signing_key IS NOT NULL AND NOT EXISTS (SELECT FROM plc_head WHERE plc_head.actor_id = incoming.actor_id)
ORDER BY actor_id
ON CONFLICT (actor_id) DO UPDATE SET
    (resolved_at, handle, pds, signing_key, handle_state, verified_at, handle_check_at) =
    (excluded.resolved_at, excluded.handle, excluded.pds, excluded.signing_key,
     CASE WHEN held.handle = excluded.handle THEN held.handle_state ELSE 'pending' END,
     CASE WHEN held.handle = excluded.handle THEN held.verified_at END,
     CASE WHEN held.handle = excluded.handle THEN held.handle_check_at ELSE 'epoch' END)
WHERE excluded.resolved_at > held.resolved_at;

-- name: complete_identities
-- What a load stores of a document is not all that it says. The rest comes with the log of a did:plc; a did:web has none, and is asked.
INSERT INTO identity_refresh (actor_id, did, requested_at, next_try_at, failures)
SELECT actor_id, did, clock_timestamp(), clock_timestamp(), 0 FROM incoming
WHERE did LIKE 'did:web:%%' AND signing_key IS NOT NULL ORDER BY actor_id
ON CONFLICT DO NOTHING;

-- name: clear_quarantine
-- What the shard set aside before is told anew.
DELETE FROM quarantine WHERE shard = %(shard)s;

-- name: clear_live_quarantine
-- What was set aside of these repositories when they were last fetched alone.
DELETE FROM quarantine q USING incoming i WHERE q.shard = 'live' AND q.actor_id = i.actor_id;

-- name: create_set_aside
-- Repositories set aside whole; those of extraction have their time of fetch in `incoming`.
CREATE TEMPORARY TABLE set_aside (
    actor_id bigint NOT NULL, did text NOT NULL, host text NOT NULL, scope text NOT NULL, reason text NOT NULL, detail text,
    records bigint NOT NULL, fetched_at timestamptz
) ON COMMIT DROP;

-- name: insert_quarantine
-- Repositories set aside whole.
INSERT INTO quarantine (actor_id, did, host, shard, scope, reason, detail, records, fetched_at)
SELECT s.actor_id, s.did, s.host, coalesce(%(shard)s::text, 'live'), s.scope, s.reason, s.detail, s.records,
    coalesce(s.fetched_at, i.fetched_at)
FROM set_aside s LEFT JOIN incoming i USING (did);

-- name: write_ledger
-- The shard is in.
INSERT INTO load (shard, fingerprint, rows, rejected, entries, quarantined, version)
VALUES (%(shard)s, %(fingerprint)s, %(rows)s, %(rejected)s, %(entries)s, %(quarantined)s, %(version)s)
ON CONFLICT (shard) DO UPDATE SET
    (fingerprint, rows, rejected, entries, quarantined, version, loaded_at) =
    (excluded.fingerprint, excluded.rows, excluded.rejected, excluded.entries, excluded.quarantined, excluded.version, now());
