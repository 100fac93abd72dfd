"""The only list of families: which collection is read by which module, into which dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import pyarrow as pa

from zeppelin_pipeline.lake.schemas import RECORD_DATASETS
from zeppelin_pipeline.records import engagement, graph, post, profile
from zeppelin_pipeline.records.canonical import BLOCK, FOLLOW, LIKE, REPOST
from zeppelin_pipeline.records.template import Template

#: (record, block) to the values of the family's columns; raises InvalidDataError.
Reader: TypeAlias = Callable[[dict[str, Any], bytes], tuple[Any, ...]]

#: The dataset of records that have no family or are not valid.
WHOLE: Final = "record"


@dataclass(frozen=True, slots=True)
class Family:
    """How one collection is read.

    Attributes:
        nsid: the collection.
        dataset: the lake's dataset of its valid records.
        columns: what `read` gives, in order; the columns that all datasets have are added by assembly.
        read: validates a record and gives its columns.
        templates: layouts whose records are read without decoding; a record that fits one needs no other check.
        rkey: the one record key that the collection may have, None for any.
    """

    nsid: str
    dataset: str
    columns: tuple[str, ...]
    read: Reader
    templates: tuple[Template, ...] = ()
    rkey: bytes | None = None

    @property
    def schema(self) -> pa.Schema:
        """The dataset's Arrow schema."""
        return RECORD_DATASETS[self.dataset]


def _from_record_alone(read: Callable[[dict[str, Any]], tuple[Any, ...]]) -> Reader:
    return lambda record, _block: read(record)


_READ_LIKE: Final = partial(engagement.read_engagement, LIKE)
_READ_REPOST: Final = partial(engagement.read_engagement, REPOST)
_READ_FOLLOW: Final = partial(graph.read_relation, FOLLOW)
_READ_BLOCK: Final = partial(graph.read_relation, BLOCK)

_ALL: Final = (
    Family(profile.NSID, "profile", profile.COLUMNS, _from_record_alone(profile.read_profile), rkey=profile.RKEY),
    Family(post.NSID, "post", post.COLUMNS, _from_record_alone(post.read_post)),
    Family(LIKE, "like", engagement.COLUMNS, _READ_LIKE, engagement.templates(LIKE)),
    Family(REPOST, "repost", engagement.COLUMNS, _READ_REPOST, engagement.templates(REPOST)),
    Family(FOLLOW, "follow", graph.COLUMNS, _READ_FOLLOW, graph.templates(FOLLOW)),
    Family(BLOCK, "block", graph.COLUMNS, _READ_BLOCK, graph.templates(BLOCK)),
)

FAMILIES: Final[dict[str, Family]] = {family.nsid: family for family in _ALL}
