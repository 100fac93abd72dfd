-- What the API reads of feed generators beside their records.

-- name: get_actor_feeds
-- An account's feed generators, newest first by least(created_at, indexed_at), then by record key; a cursor is the last row's keys.
SELECT generator.actor_id, generator.rkey, least(generator.created_at, generator.indexed_at) AS sort_at
FROM generator
WHERE generator.actor_id = %(actor)s
    AND (least(generator.created_at, generator.indexed_at), generator.rkey)
    < (%(before_at)s::timestamptz, %(before_rkey)s::bigint)
ORDER BY least(generator.created_at, generator.indexed_at) DESC, generator.rkey DESC
LIMIT %(limit)s;

-- name: get_feed_service
-- Where the feed generator of a DID is, by its stored document; no row for a DID whose document is not stored.
SELECT identity.feed_generator FROM identity WHERE identity.actor_id = %(actor)s;
