"""Gates beside a post: who may reply (`app.bsky.feed.threadgate`) and embed (`app.bsky.feed.postgate`).

A gate has its post's record key, in the same repository; one that stands elsewhere gates nothing.
"""

from typing import Any, Final

from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.lake.schemas import (
    ALLOW_FOLLOWER,
    ALLOW_FOLLOWING,
    ALLOW_LIST,
    ALLOW_MENTION,
    ALLOW_OTHER,
)
from zeppelin_pipeline.records.canonical import LIST
from zeppelin_pipeline.records.lexicon import check_array, check_created_at, check_union
from zeppelin_pipeline.records.post import NSID as POST
from zeppelin_pipeline.records.references import read_uri, read_uris, split_pairs

THREADGATE: Final = "app.bsky.feed.threadgate"
POSTGATE: Final = "app.bsky.feed.postgate"

#: Names of what `read_threadgate` gives, in order.
THREADGATE_COLUMNS: Final = ("allow", "list_dids", "list_rkeys", "hidden_dids", "hidden_rkeys", "created_at")
#: Names of what `read_postgate` gives, in order.
POSTGATE_COLUMNS: Final = ("is_embedding_disabled", "detached_dids", "detached_rkeys", "created_at")

_LIST_RULE: Final = f"{THREADGATE}#listRule"
_RULES: Final = {
    f"{THREADGATE}#mentionRule": ALLOW_MENTION,
    f"{THREADGATE}#followingRule": ALLOW_FOLLOWING,
    f"{THREADGATE}#followerRule": ALLOW_FOLLOWER,
    _LIST_RULE: ALLOW_LIST,
}


def read_threadgate(record: dict[str, Any]) -> tuple[Any, ...]:
    """The columns of a threadgate, by `THREADGATE_COLUMNS`.

    `allow` is None where anyone may reply, else the bits ALLOW_* of its rules, 0 for nobody. Lists and hidden replies
    are pairs of DIDs and record keys; a URI that names no list or no post by a DID can match nothing and is left out.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    read_uri(record.get("post"), "post", POST)
    allow, lists = _read_rules(record["allow"]) if "allow" in record else (None, [])
    hidden = read_uris(record.get("hiddenReplies", []), "hidden-replies", POST, 300)
    return allow, *split_pairs(lists), *hidden, check_created_at(record)


def _read_rules(value: Any) -> tuple[int, list[tuple[str, str]]]:
    bits = 0
    lists: list[tuple[str, str]] = []
    for rule in check_array(value, "allow", 5):
        kind = check_union(rule, "rule")
        bits |= _RULES.get(kind, ALLOW_OTHER)
        if kind == _LIST_RULE and (named := read_uri(rule.get("list"), "rule-list", LIST)):
            lists.append(named)
    return bits, lists


def read_postgate(record: dict[str, Any]) -> tuple[bool, list[str] | None, list[str] | None, int]:
    """The columns of a postgate, by `POSTGATE_COLUMNS`.

    Detached posts are pairs of DIDs and record keys; a URI that names no post by a DID can match nothing and is left
    out.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    read_uri(record.get("post"), "post", POST)
    kinds = [check_union(rule, "rule") for rule in check_array(record.get("embeddingRules", []), "embedding-rules", 5)]
    dids, rkeys = read_uris(record.get("detachedEmbeddingUris", []), "detached-embedding-uris", POST, 50)
    return f"{POSTGATE}#disableRule" in kinds, dids, rkeys, check_created_at(record)


def check_gate_place(record: dict[str, Any], did: str, rkey: str) -> None:
    """Whether a gate stands where it gates its post; raises InvalidDataError `gate-of-another-post`."""
    if read_uri(record["post"], "post", POST) != (did, rkey):
        raise InvalidDataError("gate-of-another-post", record["post"][:200])
