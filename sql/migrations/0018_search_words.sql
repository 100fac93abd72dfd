-- Words of posts and names have no accents and one kind of apostrophe, and an ideograph is a word of its own.

-- Made anew: materialize `post_search`.
TRUNCATE post_search;
DELETE FROM aggregate_range WHERE aggregate = 'post_search';
DELETE FROM dirty_range WHERE aggregate = 'post_search';

-- Names are found by their former words until their ranges are made, which is soon.
INSERT INTO dirty_range (aggregate, key_range) SELECT aggregate, key_range FROM aggregate_range WHERE aggregate = 'name_search';
