-- Quotes of a post are read in the order of their times, and among the replies to a post those of its author, however many there are: the asset
-- warehouse_indexes builds these two anew.

DROP INDEX IF EXISTS post_quote, post_parent;
