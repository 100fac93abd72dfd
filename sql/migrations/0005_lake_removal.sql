-- Accounts whose data leaves the lake: what `lake_compaction` found and did.

CREATE TABLE lake_removal (
    actor_id   bigint PRIMARY KEY,
    shard      text NOT NULL,
    status     text NOT NULL,
    seen_at    timestamptz NOT NULL,
    removed_at timestamptz
);
