-- name: create_sighted_hosts
-- A snapshot of the directory, before it is merged.
CREATE TEMPORARY TABLE sighted_host (
    host text, url text, witnesses text[], state text, version text, last_seen_at timestamptz, last_error text
) ON COMMIT DROP;

-- name: upsert_hosts
-- Hosts of a snapshot; gives for each whether it was new.
INSERT INTO pds_host AS known (host, url, witnesses, state, version, last_seen_at, last_probe_at, last_error)
SELECT host, url, witnesses, state, version, last_seen_at, now(), last_error FROM sighted_host
ON CONFLICT (host) DO UPDATE SET
    (url, witnesses, state, version, last_seen_at, last_probe_at, last_error) =
    (excluded.url, excluded.witnesses, excluded.state, coalesce(excluded.version, known.version),
     greatest(excluded.last_seen_at, known.last_seen_at), excluded.last_probe_at, excluded.last_error)
RETURNING xmax = 0;

-- name: named_hosts
-- The hosts that accounts' documents name, those of most accounts first.
SELECT pds FROM identity WHERE pds IS NOT NULL GROUP BY pds ORDER BY count(*) DESC, pds LIMIT %(limit)s;
