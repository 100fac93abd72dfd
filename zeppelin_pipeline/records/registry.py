"""The only list of families: which collection is read by which module, into which dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.records import (
    declarations,
    engagement,
    gates,
    generator,
    graph,
    labeler,
    lists,
    post,
    profile,
    starter_pack,
    verification,
)
from zeppelin_pipeline.records.canonical import BLOCK, FOLLOW, LIKE, LIST, LIST_BLOCK, LIST_ITEM, REPOST
from zeppelin_pipeline.records.compiled import (
    CompiledReader,
    engagement_reader,
    list_item_reader,
    post_reader,
    relation_reader,
)

#: (record, block) to the values of the family's columns; raises InvalidDataError.
Reader: TypeAlias = Callable[[dict[str, Any], bytes], tuple[Any, ...]]

#: (record, did, rkey) of a valid record; raises InvalidDataError where it means nothing in that place.
PlaceCheck: TypeAlias = Callable[[dict[str, Any], str, str], None]

#: The dataset of records that have no columns of their own, have no family, or are not valid.
WHOLE: Final = "record"


@dataclass(frozen=True, slots=True)
class Family:
    """How one collection is read.

    Attributes:
        nsid: the collection.
        dataset: the lake's dataset of its valid records.
        columns: what `read` gives, in order; the columns that all datasets have are added by assembly.
        read: validates a record and gives its columns.
        rkey: the one record key that the collection may have, None for any.
        check_place: what the collection asks of where a record stands besides, once it is known to be valid.
        compiled: reads the usual records many at once, to what `read` would give and `check_place` lets pass; null
            where all are read one by one.
    """

    nsid: str
    dataset: str
    columns: tuple[str, ...]
    read: Reader
    rkey: bytes | None = None
    check_place: PlaceCheck | None = None
    compiled: CompiledReader | None = None

    @property
    def schema(self) -> pa.Schema:
        """The dataset's Arrow schema."""
        return RECORD_DATASETS[self.dataset]


def _from_record_alone(read: Callable[[dict[str, Any]], tuple[Any, ...]]) -> Reader:
    return lambda record, _block: read(record)


def _raw_family(
    nsid: str,
    dataset: str,
    columns: tuple[str, ...],
    read: Callable[[dict[str, Any]], tuple[Any, ...]],
    *,
    rkey: bytes | None = None,
    check_place: PlaceCheck | None = None,
    compiled: CompiledReader | None = None,
) -> Family:
    """A family whose rows always have the original bytes beside the columns."""
    return Family(
        nsid, dataset, columns, _from_record_alone(read), rkey=rkey, check_place=check_place, compiled=compiled
    )


def _declaration(nsid: str, check: Callable[[dict[str, Any]], None]) -> Family:
    """A family without columns: valid records are rows of `record` without a reason."""

    def read(record: dict[str, Any], _block: bytes) -> tuple[None]:
        check(record)
        return (None,)

    return Family(nsid, WHOLE, ("reason",), read, rkey=declarations.RKEY)


_READ_LIKE: Final = partial(engagement.read_engagement, LIKE)
_READ_REPOST: Final = partial(engagement.read_engagement, REPOST)
_READ_FOLLOW: Final = partial(graph.read_relation, FOLLOW)
_READ_BLOCK: Final = partial(graph.read_relation, BLOCK)

_ALL: Final = (
    _raw_family(profile.NSID, "profile", profile.COLUMNS, profile.read_profile, rkey=profile.RKEY),
    _raw_family(post.NSID, "post", post.COLUMNS, post.read_post, compiled=post_reader(post.NSID)),
    Family(LIKE, "like", engagement.COLUMNS, _READ_LIKE, compiled=engagement_reader(LIKE)),
    Family(REPOST, "repost", engagement.COLUMNS, _READ_REPOST, compiled=engagement_reader(REPOST)),
    Family(FOLLOW, "follow", graph.COLUMNS, _READ_FOLLOW, compiled=relation_reader(FOLLOW)),
    Family(BLOCK, "block", graph.COLUMNS, _READ_BLOCK, compiled=relation_reader(BLOCK)),
    _raw_family(LIST, "list", lists.LIST_COLUMNS, lists.read_list),
    Family(
        LIST_ITEM,
        "list_item",
        lists.ITEM_COLUMNS,
        lists.read_list_item,
        check_place=lists.check_list_owner,
        compiled=list_item_reader(LIST_ITEM),
    ),
    Family(LIST_BLOCK, "list_block", lists.BLOCK_COLUMNS, lists.read_list_block),
    _raw_family(starter_pack.NSID, "starter_pack", starter_pack.COLUMNS, starter_pack.read_starter_pack),
    _raw_family(verification.NSID, "verification", verification.COLUMNS, verification.read_verification),
    _raw_family(generator.NSID, "generator", generator.COLUMNS, generator.read_generator),
    _raw_family(labeler.NSID, "labeler", labeler.COLUMNS, labeler.read_labeler, rkey=labeler.RKEY),
    _raw_family(
        gates.THREADGATE,
        "threadgate",
        gates.THREADGATE_COLUMNS,
        gates.read_threadgate,
        check_place=gates.check_gate_place,
    ),
    _raw_family(
        gates.POSTGATE, "postgate", gates.POSTGATE_COLUMNS, gates.read_postgate, check_place=gates.check_gate_place
    ),
    _declaration(declarations.STATUS, declarations.check_status),
    _declaration(declarations.NOTIFICATIONS, declarations.check_notifications),
    _declaration(declarations.CHAT, declarations.check_chat),
    _declaration(declarations.GERM, declarations.check_germ),
)

FAMILIES: Final[dict[str, Family]] = {family.nsid: family for family in _ALL}
