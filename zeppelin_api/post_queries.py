"""The text of a search for posts, and the parameters beside it, to the terms that are looked for."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from zeppelin_api.errors import ApiError
from zeppelin_api.pagination import START
from zeppelin_api.times import read_time
from zeppelin_pipeline.warehouse.search_terms import domain_term, lang_term, tag_term, words_of

#: A part of a query: an operator with its value, a phrase, or whatever stands between spaces.
_PARTS: Final = re.compile(r'([a-z]+):("[^"]*"|\S+)|"([^"]*)"|(\S+)')
#: As telephones type them.
_QUOTES: Final = str.maketrans("\u201c\u201d\u201e\u201f", '""""')
#: What is written after a tag and is no part of it.
_AFTER_TAGS: Final = ".,;:!?"
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class QueryParts:
    """What a search asks for, accounts still as they were named.

    Attributes:
        terms: as `search_terms.post_terms` gives them, without accounts.
        phrases: two words or more, that adjoin.
        authors: handles or DIDs; a post has one author.
        mentions: handles or DIDs of accounts that are named.
        since: the earliest time.
        until: the first time that is too late.
    """

    terms: set[str] = field(default_factory=set[str])
    phrases: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    authors: set[str] = field(default_factory=set[str])
    mentions: set[str] = field(default_factory=set[str])
    since: datetime = datetime(1, 1, 1, tzinfo=UTC)
    until: datetime = START.at

    def add(self, name: str, value: str) -> bool:
        """Restrict the search; false for a name that means nothing, whose text is words then.

        Raises:
            ApiError: BadQueryString, for a time that is none.
        """
        match name:
            case "from" | "author":
                self.authors.add(value.removeprefix("@"))
            case "mentions" | "to":
                self.mentions.add(value.removeprefix("@"))
            case "lang":
                self.terms.add(lang_term(value))
            case "domain":
                self.terms.add(domain_term(value))
            case "url":
                self.terms.add(f"u:{value}")
            case "tag":
                self.terms.add(tag_term(value))
            case "since":
                self.since = max(self.since, _read_moment(value))
            case "until":
                self.until = min(self.until, _read_moment(value))
            case _:
                return False
        return True

    def add_words(self, text: str) -> None:
        """Restrict the search to posts with these words."""
        self.terms.update(f"w:{word}" for word in words_of(text))


def read_query(text: str) -> QueryParts:
    """What the text of a search asks for: words, `"phrases"`, `#tags`, and operators such as `from:alice.test`.

    No post has what is nothing of that, such as signs alone; `*` asks for all.

    Raises:
        ApiError: BadQueryString, for a time that is none.
    """
    parts = QueryParts()
    for name, value, phrase, plain in _PARTS.findall(text.translate(_QUOTES)):
        if plain.startswith("did:") or name == "did":
            parts.add("from", plain or f"did:{value}")
        elif name and parts.add(name, value.strip('"')):
            continue
        elif plain.startswith("#") and len(tag := plain.rstrip(_AFTER_TAGS)) > 1:
            parts.add("tag", tag)
        elif words := tuple(words_of(phrase)):
            parts.add_words(phrase)
            parts.phrases.extend([words] if len(words) > 1 else [])
        else:
            parts.add_words(plain or f"{name} {value}")
    if parts == QueryParts() and text.strip() not in {"", "*"}:
        parts.terms.add(f"w:{text}")  # no text has it for a word
    return parts


def _read_moment(value: str) -> datetime:
    """A time, or the start of a day.

    Raises:
        ApiError: BadQueryString, when it is neither.
    """
    moment = read_time(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value)
    if moment is None:
        raise ApiError("BadQueryString", f"Not a time: {value}")
    return moment
