"""Between AT URIs and the warehouse's keys."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from zeppelin_pipeline.atproto.syntax import AtUri, parse_at_uri
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS, KeySpace, tid_of_key

POST: Final = "app.bsky.feed.post"
GENERATOR: Final = "app.bsky.feed.generator"
THREADGATE: Final = "app.bsky.feed.threadgate"
POSTGATE: Final = "app.bsky.feed.postgate"
LIST: Final = "app.bsky.graph.list"
LIST_ITEM: Final = "app.bsky.graph.listitem"
LIST_BLOCK: Final = "app.bsky.graph.listblock"
STARTER_PACK: Final = "app.bsky.graph.starterpack"
LIKE: Final = "app.bsky.feed.like"
REPOST: Final = "app.bsky.feed.repost"
FOLLOW: Final = "app.bsky.graph.follow"
BLOCK: Final = "app.bsky.graph.block"
LABELER: Final = "app.bsky.labeler.service"
PROFILE: Final = "app.bsky.actor.profile"
STATUS: Final = "app.bsky.actor.status"
NOTIFICATION_DECLARATION: Final = "app.bsky.notification.declaration"
VERIFICATION: Final = "app.bsky.graph.verification"
CHAT_DECLARATION: Final = "chat.bsky.actor.declaration"
GERM_DECLARATION: Final = "com.germnetwork.declaration"
SELF_RKEY: Final = "self"
#: Keys that are kept: an answer asks for those of its URIs several times, and for the same ones as others.
_REMEMBERED: Final = 16_384
#: Of URIs of a usual length: makers of feeds send any text for one, of up to a megabyte.
_LONGEST_REMEMBERED: Final = 512


class PostKey(NamedTuple):
    """A post in the warehouse."""

    actor: int
    rkey: int


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record of any collection in the warehouse."""

    actor: int
    collection: int
    rkey: int

    @property
    def post(self) -> PostKey | None:
        """The same as a post's key, if it is one."""
        is_post = self.collection == WELL_KNOWN_COLLECTIONS[POST]
        return PostKey(self.actor, self.rkey) if is_post else None


def read_record_uri(uri: str) -> AtUri | None:
    """A URI that names a record of an account by its DID; None for any other text (a handle is not a stable name)."""
    try:
        parsed = parse_at_uri(uri)
    except InvalidDataError:
        return None
    if parsed.collection is None or parsed.rkey is None or not parsed.authority.startswith("did:"):
        return None
    return parsed


def record_key(keys: KeySpace, uri: str) -> RecordKey | None:
    """The key of the record that a URI names; None when it names none."""
    return _record_key_once(keys, uri) if len(uri) <= _LONGEST_REMEMBERED else _record_key(keys, uri)


def _record_key(keys: KeySpace, uri: str) -> RecordKey | None:
    parsed = read_record_uri(uri)
    if parsed is None or parsed.collection is None or parsed.rkey is None:
        return None
    return RecordKey(keys.actor_id(parsed.authority), keys.collection_id(parsed.collection), keys.rkey_id(parsed.rkey))


_record_key_once = lru_cache(_REMEMBERED)(_record_key)


def post_key(keys: KeySpace, uri: str) -> PostKey | None:
    """The key of the post that a URI names; None when it names none."""
    key = record_key(keys, uri)
    return None if key is None else key.post


def rkey_of(key: int, text: str | None) -> str:
    """A record key's text: from `record_key` when there, else the TID that the key is."""
    return tid_of_key(key) if text is None else text


def uri_of(did: str, collection: str, rkey: str) -> str:
    """A record's AT URI."""
    return f"at://{did}/{collection}/{rkey}"


def did_of(uri: str) -> str:
    """The authority of a record's URI."""
    return uri.removeprefix("at://").partition("/")[0]


def collection_of(uri: str) -> str:
    """The collection of a record's URI; empty for a URI that names none."""
    return uri.removeprefix("at://").partition("/")[2].partition("/")[0]


def sibling_uri(uri: str, collection: str) -> str:
    """The record of another collection with the same account and record key, as gates have with their posts."""
    did, _, rkey = uri.removeprefix("at://").split("/", 2)
    return uri_of(did, collection, rkey)
