-- Accounts, generators or starter packs whose names have all terms, those of the highest rank first, behind one of them. Planned for its terms:
-- whether the index over terms or the one over ranks serves depends on how common they are.
CREATE FUNCTION ranked_names(
    wanted_collection smallint, wanted_terms integer[], before_rank bigint, before_actor bigint, before_rkey bigint, wanted bigint
) RETURNS TABLE (actor_id bigint, rkey bigint, rank bigint)
LANGUAGE plpgsql VOLATILE ROWS 100 AS $$
BEGIN
    RETURN QUERY EXECUTE '
        SELECT actor_id, rkey, rank
        FROM name_search
        WHERE collection = $1 AND terms @> $2 AND (rank, actor_id, rkey) < ($3, $4, $5)
        ORDER BY rank DESC, actor_id DESC, rkey DESC
        LIMIT $6'
    USING wanted_collection, wanted_terms, before_rank, before_actor, before_rkey, wanted;
END
$$;
