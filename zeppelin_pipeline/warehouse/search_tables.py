"""The tables that searches read, by name: who searches needs no more of `search`, which keeps them."""

from typing import Final

POST_SEARCH: Final = "post_search"
NAME_SEARCH: Final = "name_search"
SEARCH_TABLES: Final = (POST_SEARCH, NAME_SEARCH)
