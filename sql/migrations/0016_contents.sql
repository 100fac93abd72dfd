-- Likes and reposts of eight columns, whose heads are 8 bytes shorter: what is rare is in one column (zeppelin_pipeline/warehouse/contents.py).
-- A column that is dropped goes on counting, so the tables are written anew, and the asset warehouse_indexes builds their indexes again.
-- A schema for the former ones leaves the names of their constraints to the new.

CREATE SCHEMA former;

ALTER TABLE "like" SET SCHEMA former;
CREATE TABLE "like" (
    actor_id           bigint NOT NULL,
    rkey               bigint NOT NULL,
    subject_actor      bigint,
    subject_rkey       bigint,
    created_at         timestamptz NOT NULL,
    indexed_at         timestamptz,
    subject_collection smallint,          -- a well-known collection
    content            bytea NOT NULL
);
INSERT INTO "like"
SELECT actor_id, rkey, subject_actor, subject_rkey, created_at, indexed_at, subject_collection, CASE
    WHEN raw IS NOT NULL THEN coalesce(subject_cid, decode(repeat('00', 32), 'hex')) || raw
    WHEN via_cid IS NOT NULL THEN subject_cid || int8send(via_actor) || int8send(via_rkey) || via_cid
    ELSE subject_cid
END FROM former."like";
DROP TABLE former."like";

ALTER TABLE repost SET SCHEMA former;
CREATE TABLE repost (
    actor_id           bigint NOT NULL,
    rkey               bigint NOT NULL,
    subject_actor      bigint,
    subject_rkey       bigint,
    created_at         timestamptz NOT NULL,
    indexed_at         timestamptz,
    subject_collection smallint,
    content            bytea NOT NULL
);
INSERT INTO repost
SELECT actor_id, rkey, subject_actor, subject_rkey, created_at, indexed_at, subject_collection, CASE
    WHEN raw IS NOT NULL THEN coalesce(subject_cid, decode(repeat('00', 32), 'hex')) || raw
    WHEN via_cid IS NOT NULL THEN subject_cid || int8send(via_actor) || int8send(via_rkey) || via_cid
    ELSE subject_cid
END FROM former.repost;
DROP TABLE former.repost;
DROP SCHEMA former;

-- The keys in a content of the repost through which the subject was seen: of its account and of its record. Null where there is none.
CREATE FUNCTION via_actor(content bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE octet_length(content) WHEN 80 THEN ('x' || encode(substring(content FROM 33 FOR 8), 'hex'))::bit(64)::bigint END
$$;
CREATE FUNCTION via_rkey(content bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE octet_length(content) WHEN 80 THEN ('x' || encode(substring(content FROM 41 FOR 8), 'hex'))::bit(64)::bigint END
$$;
