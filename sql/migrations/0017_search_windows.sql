-- A search for posts reads about as many rows as it gives, not all that match: among its terms a post has its day and its period of 32 days, by
-- which windows of time are searched one after another, each as wide as likely has enough; and rows lie in the order of their times.

-- Made anew: materialize `post_search`.
TRUNCATE post_search;
DELETE FROM aggregate_range WHERE aggregate = 'post_search';
DELETE FROM dirty_range WHERE aggregate = 'post_search';

-- Ascending, as posts come: it grows at its end.
DROP INDEX IF EXISTS post_search_latest;
CREATE INDEX post_search_latest ON post_search (sort_at);
ALTER TABLE post_search CLUSTER ON post_search_latest;
CREATE INDEX IF NOT EXISTS post_search_terms ON post_search USING gin (terms);

-- Among the terms of posts the numbers of the times from the one to the other: of days, counted from 1970 on, or where those are many of periods
-- of 32 days, 2^24 more.
CREATE FUNCTION search_periods(earliest timestamptz, latest timestamptz) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(CASE WHEN days.last - days.first < 64 THEN number ELSE number + (1 << 24) END)
    FROM (
        SELECT floor(extract(epoch FROM earliest) / 86400)::integer AS first, floor(extract(epoch FROM latest) / 86400)::integer AS last
    ) AS days,
    LATERAL generate_series(
        CASE WHEN days.last - days.first < 64 THEN days.first ELSE days.first >> 5 END,
        CASE WHEN days.last - days.first < 64 THEN days.last ELSE days.last >> 5 END
    ) AS number
$$;

-- Where windows of time begin, one before the other and the first before a time: the first has likely some more posts with all terms than are
-- wanted, each further one four times as many as the one after it. What is before the last is to be searched whole: likely all of it where those
-- posts are few. By what the planner knows of terms and times.
CREATE FUNCTION search_windows(wanted_terms integer[], before timestamptz, wanted bigint) RETURNS timestamptz[]
LANGUAGE plpgsql VOLATILE AS $$  -- others may not ask the planner
DECLARE
    plan json;
    likely float8;  -- so many posts have the terms
    bounds timestamptz[];  -- between which equal parts of the posts lie
    parts integer;
    part integer;
    place float8;  -- of a time among the parts
    width float8;  -- of a window, in parts
    begins timestamptz[] := '{}';
BEGIN
    EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM post_search WHERE terms @> $1' INTO plan USING wanted_terms;
    likely := (plan -> 0 -> 'Plan' ->> 'Plan Rows')::float8;
    IF likely <= greatest(100, 2 * wanted) THEN
        RETURN begins;
    END IF;
    SELECT ARRAY(SELECT least(bound, now()) FROM unnest(histogram_bounds::text::timestamptz[]) AS bound) INTO bounds
    FROM pg_stats
    WHERE schemaname = current_schema() AND tablename = 'post_search' AND attname = 'sort_at';
    parts := cardinality(bounds) - 1;
    IF coalesce(parts, 0) < 1 OR before <= bounds[1] THEN
        RETURN begins;
    END IF;
    part := least(width_bucket(before, bounds), parts);
    place := part - 1 + least(1, extract(epoch FROM least(before, bounds[parts + 1]) - bounds[part])
        / greatest(extract(epoch FROM bounds[part + 1] - bounds[part]), 0.000001));
    width := (wanted + 4 * sqrt(wanted)) / likely * parts;
    WHILE place > width LOOP
        place := place - width;
        part := floor(place)::integer + 1;
        begins := begins || bounds[part] + (place - floor(place)) * (bounds[part + 1] - bounds[part]);
        width := width * 4;
        EXIT WHEN likely < 2000;  -- of so few all that are left are fetched for less than one window more
    END LOOP;
    RETURN begins;
END
$$;

-- The newest posts that have all terms, as many as are wanted, newest first. Each window's query is planned for its terms and times: which index
-- serves depends on them.
CREATE FUNCTION newest_posts(
    wanted_terms integer[], since timestamptz, until timestamptz,
    before_at timestamptz, before_rkey bigint, before_actor bigint, wanted bigint
) RETURNS TABLE (actor_id bigint, rkey bigint, sort_at timestamptz)
LANGUAGE plpgsql VOLATILE ROWS 100 SET max_parallel_workers_per_gather = 0 AS $$  -- they take longer to start than it takes
DECLARE
    tomorrow CONSTANT timestamptz := now() + interval '1 day';
    begins timestamptz[] := search_windows(wanted_terms, least(until, before_at), wanted);
    below timestamptz := until;
    lowest timestamptz;
    periods integer[];
    found_rows bigint;
BEGIN
    IF cardinality(begins) > 0 AND least(until, before_at) > tomorrow THEN
        begins := tomorrow || begins;  -- the times to come have no end: their days are not named
    END IF;
    FOREACH lowest IN ARRAY begins || '-infinity'::timestamptz LOOP
        lowest := greatest(lowest, since);
        periods := CASE WHEN least(below, before_at) < lowest + interval '10 years' AND lowest < tomorrow
            THEN search_periods(lowest, least(below, before_at)) END;
        RETURN QUERY EXECUTE '
            SELECT actor_id, rkey, sort_at
            FROM post_search
            WHERE terms @> $1' || CASE WHEN periods IS NULL THEN '' ELSE ' AND terms && $8' END || '
                AND sort_at >= $2 AND sort_at < $3 AND (sort_at, rkey, actor_id) < ($4, $5, $6)
            ORDER BY sort_at DESC, rkey DESC, actor_id DESC
            LIMIT $7'
        USING wanted_terms, lowest, below, before_at, before_rkey, before_actor, wanted, periods;
        GET DIAGNOSTICS found_rows = ROW_COUNT;
        wanted := wanted - found_rows;
        EXIT WHEN wanted <= 0 OR lowest <= since;
        below := lowest;
    END LOOP;
END
$$;
