-- What the API reads of accounts. Collections by their fixed numbers (warehouse/keys.py): 16 status, 17 notification declaration,
-- 18 chat declaration, 19 Germ declaration.

-- name: get_accounts
-- Accounts that are known by more than a mention, with all that any profile view shows but counts: by their keys, and for each handle
-- the one that its domain names. Where handles that nobody has looked at yet count too, a verified one goes before them, then an account
-- in good standing, then the one resolved last.
SELECT
    actor.id AS actor_id,
    asked.handle AS asked_handle,
    actor.did,
    CASE
        WHEN identity.handle_state = 'verified' OR (%(accepts_pending)s AND identity.handle_state = 'pending')
        THEN identity.handle
    END AS handle,
    repo.status,
    profile.raw AS profile,
    profile.created_at,
    least(profile.created_at, profile.indexed_at) AS sort_at,
    EXISTS (SELECT FROM labeler WHERE labeler.actor_id = actor.id) AS is_labeler,
    declared.collections AS declared_collections,
    declared.times AS declared_times,
    declared.raws AS declared_raws,
    verified.verifier_actors,
    verified.verification_rkeys,
    verified.verification_rkey_texts,
    verified.verification_times,
    verified.verifications
FROM (
    SELECT unnest(%(actors)s::bigint[]) AS actor_id, NULL::text AS handle
    UNION ALL
    SELECT named.actor_id, named.handle
    FROM (
        SELECT DISTINCT ON (identity.handle) identity.actor_id, identity.handle
        FROM identity
        LEFT JOIN repo ON repo.actor_id = identity.actor_id
        WHERE %(has_handles)s
            AND identity.handle = ANY(%(handles)s::text[])
            AND (identity.handle_state = 'verified' OR (%(accepts_pending)s AND identity.handle_state = 'pending'))
        ORDER BY identity.handle, (identity.handle_state = 'verified') DESC, (coalesce(repo.status, 'active') = 'active') DESC,
            identity.resolved_at DESC, identity.actor_id
    ) AS named
) AS asked
JOIN actor ON actor.id = asked.actor_id
LEFT JOIN identity ON identity.actor_id = actor.id
LEFT JOIN repo ON repo.actor_id = actor.id
LEFT JOIN profile ON profile.actor_id = actor.id AND profile.rkey = %(self_rkey)s
LEFT JOIN LATERAL (
    SELECT
        array_agg(record.collection) AS collections,
        array_agg(record.indexed_at) AS times,
        array_agg(record.raw) AS raws
    FROM record
    WHERE record.actor_id = actor.id
        AND record.collection BETWEEN 16 AND 19
        AND record.rkey = %(self_rkey)s
        AND record.reason IS NULL
) AS declared ON true
LEFT JOIN LATERAL (
    -- By accounts that are trusted to verify others, the first of each.
    SELECT
        array_agg(verification.actor_id) AS verifier_actors,
        array_agg(verification.rkey) AS verification_rkeys,
        array_agg(record_key.text) AS verification_rkey_texts,
        array_agg(first_at) AS verification_times,
        array_agg(verification.raw) AS verifications
    FROM verification
    CROSS JOIN LATERAL (SELECT least(verification.created_at, verification.indexed_at) AS first_at) AS seen
    LEFT JOIN record_key ON record_key.id = verification.rkey AND verification.rkey < 0
    WHERE verification.subject_actor = actor.id
        AND verification.actor_id = ANY(%(verifiers)s::bigint[])
        AND NOT EXISTS (
            SELECT FROM verification AS earlier
            WHERE earlier.subject_actor = verification.subject_actor
                AND earlier.actor_id = verification.actor_id
                AND earlier.rkey < verification.rkey
        )
) AS verified ON true
WHERE repo.actor_id IS NOT NULL OR identity.actor_id IS NOT NULL;

-- name: find_handles
-- Of handles the accounts that their domains name, and nothing else of those; more than one of a handle that is contended.
SELECT identity.handle, actor.did
FROM identity
JOIN actor ON actor.id = identity.actor_id
WHERE identity.handle = ANY(%(handles)s::text[])
    AND (identity.handle_state = 'verified' OR (%(accepts_pending)s AND identity.handle_state = 'pending'));

-- name: settle_handles
-- As `find_handles`, of each handle the one that `get_accounts` finds: to look at who else claims it is twice the work.
SELECT DISTINCT ON (identity.handle) identity.handle, actor.did
FROM identity
JOIN actor ON actor.id = identity.actor_id
LEFT JOIN repo ON repo.actor_id = identity.actor_id
WHERE identity.handle = ANY(%(handles)s::text[])
    AND (identity.handle_state = 'verified' OR (%(accepts_pending)s AND identity.handle_state = 'pending'))
ORDER BY identity.handle, (identity.handle_state = 'verified') DESC, (coalesce(repo.status, 'active') = 'active') DESC,
    identity.resolved_at DESC, identity.actor_id;

-- name: get_profile_counts
-- The counts of a detailed profile; an account without a row in actor_counts has zeros.
SELECT
    actor.id AS actor_id,
    coalesce(actor_counts.followers, 0) AS followers,
    coalesce(actor_counts.follows, 0) AS follows,
    coalesce(actor_counts.posts, 0) AS posts,
    (SELECT count(*) FROM list WHERE actor_id = actor.id) AS lists,
    (SELECT count(*) FROM generator WHERE actor_id = actor.id) AS generators,
    (SELECT count(*) FROM starter_pack WHERE actor_id = actor.id) AS starter_packs
FROM actor
LEFT JOIN actor_counts ON actor_counts.actor_id = actor.id
WHERE actor.id = ANY(%(actors)s::bigint[]);

-- name: find_blob_host
-- The host of an account that is shown, to be asked for a blob: unless a label took down the account, or a record that names the blob.
SELECT identity.pds FROM identity LEFT JOIN repo USING (actor_id)
WHERE identity.actor_id = %(actor)s
    AND coalesce(repo.status, 'active') = 'active'
    AND NOT EXISTS (
        SELECT FROM label
        WHERE label.actor_id = %(actor)s
            AND label.labeler = ANY(%(labelers)s::bigint[])
            AND label.value = ANY(%(takedowns)s::text[])
            AND NOT label.is_negated
            AND (label.expires_at IS NULL OR label.expires_at > now())
            AND (
                label.collection = 0
                OR EXISTS (
                    SELECT FROM (
                        SELECT actor_id, 1::smallint AS collection, rkey, raw FROM post
                        UNION ALL
                        SELECT actor_id, 6::smallint, rkey, raw FROM profile
                        UNION ALL
                        SELECT actor_id, 7::smallint, rkey, raw FROM generator
                        UNION ALL
                        SELECT actor_id, 10::smallint, rkey, raw FROM list
                        UNION ALL
                        SELECT actor_id, collection, rkey, raw FROM record
                    ) AS held
                    WHERE held.actor_id = %(actor)s
                        AND held.collection = label.collection
                        AND held.rkey = label.rkey
                        AND position(%(cid)s::bytea IN held.raw) > 0
                )
            )
    );
