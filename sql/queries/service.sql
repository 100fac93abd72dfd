-- What the API asks about the warehouse itself.

-- name: ping
-- Whether the warehouse answers and has its tables.
SELECT EXISTS (SELECT FROM repo) AS has_repositories;
