-- Gates are judged: who is mentioned in a post, and which replies and quotes break a rule. Counts of records that are no posts.
-- Posts that were loaded before have no mentions until their repository is written anew.

ALTER TABLE post ADD COLUMN mentions bigint[];

CREATE TABLE violation (
    actor_id     bigint NOT NULL,
    rkey         bigint NOT NULL,
    ruler        bigint NOT NULL,
    parent_actor bigint,
    parent_rkey  bigint,
    kind         smallint NOT NULL,
    PRIMARY KEY (actor_id, rkey, kind)
);
CREATE INDEX violation_ruler ON violation (ruler);
CREATE INDEX violation_parent ON violation (parent_actor, parent_rkey) WHERE kind = 1;

CREATE TABLE record_counts (
    actor_id   bigint NOT NULL,
    rkey       bigint NOT NULL,
    collection smallint NOT NULL,
    likes      integer NOT NULL,
    items      integer NOT NULL,
    PRIMARY KEY (actor_id, collection, rkey)
);

-- They give way to indexes of posts alone, and of the rest.
DROP INDEX IF EXISTS like_subject, repost_subject, post_quote;
