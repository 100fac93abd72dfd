-- Search: posts by their terms, names by the beginnings of their words. Empty until the assets of these names are first materialized.

CREATE TABLE post_search (
    actor_id bigint NOT NULL,
    rkey     bigint NOT NULL,
    sort_at  timestamptz NOT NULL,
    terms    integer[] NOT NULL,
    PRIMARY KEY (actor_id, rkey)
);
ALTER TABLE post_search ALTER COLUMN terms SET STATISTICS 1000;
CREATE INDEX post_search_latest ON post_search (sort_at DESC);
CREATE INDEX post_search_terms ON post_search USING gin (terms);

CREATE TABLE name_search (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    rank       bigint NOT NULL,
    collection smallint NOT NULL,
    terms      integer[] NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey)
);
ALTER TABLE name_search ALTER COLUMN terms SET STATISTICS 1000;
CREATE INDEX name_search_rank ON name_search (collection, rank DESC, actor_id DESC, rkey DESC);
CREATE INDEX name_search_terms ON name_search USING gin (terms);
