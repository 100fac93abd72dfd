"""By which terms posts and names are found: texts to words, words to the numbers that the search tables hold.

A term is a text that says what it is of (`w:` a word, `a:` the author, and so on). The tables hold 32 bits of each, so
that whoever reads them has to look whether the texts match: with the same functions, over the record itself.
"""

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import regex

from zeppelin_pipeline.atproto.datetimes import micros_of

#: Letters of scripts that put no spaces between words: Thai to Khmer, kana, ideographs, and their extensions.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
)
#: What no word has: the scripts above, and what makes a picture of the sign before it.
_NO_PART: Final = rf"\W_{_UNSPACED}\ufe00-\ufe0f\u20e3"
#: A word begins with no combining mark, but has them: the vowels of Devanagari, the points of Arabic.
_RUNS: Final = regex.compile(rf"[{_UNSPACED}]+|[^{_NO_PART}\p{{M}}][^{_NO_PART}]*(?:'[^{_NO_PART}]+)*")
_IS_UNSPACED: Final = regex.compile(rf"[{_UNSPACED}]").match
#: The same where all is ASCII, in half the time.
_ASCII_RUNS: Final = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
#: Each of them is a word of its own as well.
_IDEOGRAPHS: Final = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
#: Latin, Greek and Cyrillic letters that may have accents, which many leave out; other scripts have vowels there.
_ACCENTED: Final = re.compile("[\u00c0-\u024f\u0300-\u052f\u1e00-\u1fff]")
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
#: A post names no more terms than that; its text has 3,000 bytes at most.
_MAX_TERMS: Final = 1000
#: Names are found by the beginnings of their words, up to so many letters: of tens of millions few begin with the same.
MAX_PREFIX: Final = 12
_DAY_MICROS: Final = 86_400_000_000
_COMMON_SUFFIX: Final = ".bsky.social"


def words_of(text: str) -> list[str]:
    """The words of a text in their order, as they are compared; of scripts without spaces pairs of letters."""
    if text.isascii():
        return _ASCII_RUNS.findall(text.lower())
    found: list[str] = []
    for run in _RUNS.findall(_folded(text)):
        if _IS_UNSPACED(run) and len(run) > 1:
            found.extend(run[at : at + 2] for at in range(len(run) - 1))
        else:
            found.append(run)
    return found


def found_words(text: str) -> set[str]:
    """By which words a text is found: its words, and each ideograph, which those who search take for a word."""
    words = words_of(text)
    return {*words, *(() if text.isascii() else _IDEOGRAPHS.findall("".join(words)))}


def _folded(text: str) -> str:
    """A text as it is compared: whoever searches types other cases, widths, accents and apostrophes than who wrote."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    if _ACCENTED.search(folded):
        folded = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))
    return folded


def term_number(term: str) -> int:
    """The 32 bits of a term, with a sign, as the tables hold them."""
    number = zlib.crc32(term.encode("utf-8", "surrogatepass"))
    return number - (1 << 32) if number >> 31 else number


def term_numbers(terms: Iterable[str]) -> list[int]:
    """The numbers of terms, each once and in order."""
    return sorted({term_number(term) for term in terms})


def period_numbers(sort_at: datetime) -> list[int]:
    """What stands among a post's terms for its time: its day, counted from 1970 on, and its 32 days, 2^24 more.

    The function `search_periods` of the warehouse gives the same of times that are searched.
    """
    day = micros_of(sort_at) // _DAY_MICROS
    return [day, (day >> 5) + (1 << 24)]


def post_terms(did: str, record: dict[str, Any]) -> set[str]:
    """All terms of a post of that account: words, tags, links and their hosts, accounts, languages, its author."""
    terms = {f"a:{did}"}
    terms.update(f"w:{word}" for word in found_words(_text(record.get("text"))))
    for tag in (*_items(record.get("tags")), *_features(record, "tag")):
        terms.add(tag_term(_text(tag)))
    for language in map(_text, _items(record.get("langs"))):
        terms.update((lang_term(language), lang_term(language.partition("-")[0])))
    terms.update(f"m:{_text(account)}" for account in _features(record, "did"))
    for link in (*_features(record, "uri"), *_cards(record)):
        terms.update(_link_terms(_text(link)))
    return terms if len(terms) <= _MAX_TERMS else set(sorted(terms)[:_MAX_TERMS])


def tag_term(tag: str) -> str:
    """The term of a tag, without case and hash."""
    return f"t:{unicodedata.normalize('NFKC', tag).casefold().lstrip('#')}"


def lang_term(language: str) -> str:
    """The term of a language."""
    return f"l:{language.lower()}"


def domain_term(domain: str) -> str:
    """The term of a host that is linked to, or of a domain that it is in."""
    return f"d:{domain.lower().removeprefix('www.')}"


def name_terms(collection: int, words: Iterable[str]) -> set[str]:
    """The terms of a name by the beginnings of its words.

    Args:
        collection: the number of that which has the name: accounts, generators and starter packs are told apart.
        words: of the name.
    """
    return {f"{collection}:{word[:length]}" for word in words for length in range(1, min(len(word), MAX_PREFIX) + 1)}


def handle_words(handle: str) -> list[str]:
    """The labels of a handle, or of its beginning, that tell it from others: no common service, and not the last."""
    first, dot, others = handle.lower().partition(".")
    if _COMMON_SUFFIX.startswith(dot + others):
        return words_of(first)
    return [word for label in (first, *others.split(".")[:-1]) for word in words_of(label)]


def _link_terms(link: str) -> Iterator[str]:
    yield f"u:{link}"
    try:
        host = urlsplit(link).hostname or ""
    except ValueError:
        return
    labels = host.removeprefix("www.").split(".")
    for start in range(len(labels) - 1):
        yield domain_term(".".join(labels[start:]))


def _features(record: dict[str, Any], field: str) -> Iterator[Any]:
    """What the facets of a post name: `tag`, `did` or `uri`."""
    for facet in _items(record.get("facets")):
        features = facet.get("features") if isinstance(facet, dict) else None
        for feature in _items(features):
            if isinstance(feature, dict) and field in feature:
                yield feature[field]


def _cards(record: dict[str, Any]) -> Iterator[Any]:
    """The links of the cards that a post embeds."""
    embed = record.get("embed")
    for holder in (embed, embed.get("media")) if isinstance(embed, dict) else ():
        external = holder.get("external") if isinstance(holder, dict) else None
        if isinstance(external, dict):
            yield external.get("uri")


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
