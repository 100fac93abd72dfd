"""Kernels as readers of families: of the pending records those that they take, as columns. No rules of records here."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.records.assembly import Part
from zeppelin_pipeline.records.canonical import LIST, VIA_COLLECTION
from zeppelin_pipeline.records.kernels import engagement, facets, post, relation
from zeppelin_pipeline.records.pending import Pending
from zeppelin_pipeline.records.texts import Texts, choice_column, cid_column, list_column, span_column
from zeppelin_pipeline.warehouse.keys import WELL_KNOWN_COLLECTIONS

CompiledReader: TypeAlias = Callable[[Pending], Part]
"""Gives the columns of a family for the records that it takes; the others are left to the family's `read`."""

_NAMES: Final = tuple(WELL_KNOWN_COLLECTIONS)
_NAME_BYTES: Final = as_bytes("".join(_NAMES).encode())
_NAME_OFFSETS: Final = np.cumsum([0, *map(len, _NAMES)], dtype=np.int64)
_LIST: Final = as_bytes(LIST.encode())
_REFERENCES: Final = ("reply_root", "reply_parent", "quote")


def engagement_reader(nsid: str) -> CompiledReader:
    """Reads likes or reposts."""
    return partial(_read_engagements, as_bytes(nsid.encode()))


def relation_reader(nsid: str) -> CompiledReader:
    """Reads follows or blocks."""
    return partial(_read_relations, as_bytes(nsid.encode()))


def list_item_reader(nsid: str) -> CompiledReader:
    """Reads list items, which are taken only where the list is of the item's account."""
    return partial(_read_list_items, as_bytes(nsid.encode()))


def post_reader(nsid: str) -> CompiledReader:
    """Reads posts."""
    return partial(_read_posts, as_bytes(nsid.encode()))


def _read_engagements(nsid: npt.NDArray[np.uint8], pending: Pending) -> Part:
    blocks, most = pending.blocks.data, len(pending)
    positions, micros = np.empty(most, np.int64), np.empty(most, np.int64)
    spans = np.empty((most, engagement.SPANS, 2), np.int64)
    cids = np.empty((most, engagement.CIDS, CID_BYTES), np.uint8)
    collections, is_exact = np.empty(most, np.int32), np.empty(most, np.bool_)
    count = engagement.read_engagements(
        blocks, pending.blocks.offsets, nsid, _NAME_BYTES, _NAME_OFFSETS, _NAMES.index(VIA_COLLECTION),
        positions, spans, cids, collections, micros, is_exact,
    )  # fmt: skip
    spans, cids, positions = spans[:count], cids[:count], positions[:count]
    texts = {
        name: span_column(blocks, spans[:, place], pa.string())
        for place, name in enumerate(("subject_did", "subject_rkey", "via_did", "via_rkey"))
    }
    columns = texts | {
        "subject_collection": choice_column(collections[:count], _NAMES),
        "subject_cid": cid_column(cids[:, 0], np.ones(count, np.bool_)),
        "via_cid": cid_column(cids[:, 1], cids[:, 1, 0] != 0),
        "created_at": pa.array(micros[:count]),
        "raw": _raw_unless(is_exact[:count], pending, positions),
    }
    return Part(positions, columns)


def _read_relations(nsid: npt.NDArray[np.uint8], pending: Pending) -> Part:
    blocks, most = pending.blocks.data, len(pending)
    positions, micros = np.empty(most, np.int64), np.empty(most, np.int64)
    spans, is_exact = np.empty((most, 1, 2), np.int64), np.empty(most, np.bool_)
    count = relation.read_relations(
        blocks, pending.blocks.offsets, nsid, _NAME_BYTES, _NAME_OFFSETS, positions, spans, micros, is_exact
    )
    positions = positions[:count]
    columns = {
        "subject_did": span_column(blocks, spans[:count, 0], pa.string()),
        "created_at": pa.array(micros[:count]),
        "raw": _raw_unless(is_exact[:count], pending, positions),
    }
    return Part(positions, columns)


def _read_list_items(nsid: npt.NDArray[np.uint8], pending: Pending) -> Part:
    blocks, most = pending.blocks.data, len(pending)
    owners = Texts()
    owners.extend([run.source.did.encode() for run in pending.runs])
    positions, micros = np.empty(most, np.int64), np.empty(most, np.int64)
    spans, is_exact = np.empty((most, 2, 2), np.int64), np.empty(most, np.bool_)
    count = relation.read_list_items(
        blocks, pending.blocks.offsets, nsid, _LIST, owners.data, owners.offsets, pending.run_of,
        positions, spans, micros, is_exact,
    )  # fmt: skip
    positions = positions[:count]
    columns = {
        "subject_did": span_column(blocks, spans[:count, 0], pa.string()),
        "list_rkey": span_column(blocks, spans[:count, 1], pa.string()),
        "created_at": pa.array(micros[:count]),
        "raw": _raw_unless(is_exact[:count], pending, positions),
    }
    return Part(positions, columns)


def _read_posts(nsid: npt.NDArray[np.uint8], pending: Pending) -> Part:
    blocks, most = pending.blocks.data, len(pending)
    positions, micros = np.empty(most, np.int64), np.empty(most, np.int64)
    # The row behind the last one taken is written too, while a record is read that is not taken.
    spans = np.empty((most, post.SPANS, 2), np.int64)
    cids = np.empty((most, post.REFERENCES, CID_BYTES), np.uint8)
    collections, embeds = np.empty((most, post.REFERENCES), np.int32), np.empty(most, np.int16)
    items = np.empty((facets.LISTS, len(blocks) // 2 + 1, 2), np.int64)
    item_offsets = np.zeros((facets.LISTS, most + 1), np.int64)
    count = post.read_posts(
        blocks, pending.blocks.offsets, nsid, _NAME_BYTES, _NAME_OFFSETS,
        positions, spans, cids, collections, micros, embeds, items, item_offsets,
    )  # fmt: skip
    columns: dict[str, pa.Array] = {
        "text": span_column(blocks, spans[:count, 0], pa.string()),
        "external_uri": span_column(blocks, spans[:count, 7], pa.string()),
        "embed": pa.array(embeds[:count]),
        "created_at": pa.array(micros[:count]),
    }
    for place, name in enumerate(("langs", "tags", "mentions", "links")):
        offsets = item_offsets[place, : count + 1]
        columns[name] = list_column(span_column(blocks, items[place, : offsets[count]], pa.string()), offsets)
    for place, name in enumerate(_REFERENCES):
        columns[f"{name}_did"] = span_column(blocks, spans[:count, 1 + 2 * place], pa.string())
        columns[f"{name}_rkey"] = span_column(blocks, spans[:count, 2 + 2 * place], pa.string())
        columns[f"{name}_collection"] = choice_column(collections[:count, place], _NAMES)
        columns[f"{name}_cid"] = cid_column(cids[:count, place], cids[:count, place, 0] != 0)
    return Part(positions[:count], columns)


def _raw_unless(is_exact: "npt.NDArray[np.bool_]", pending: Pending, positions: npt.NDArray[np.int64]) -> pa.Array:
    """The blocks of the records that their columns do not give back, null for all others."""
    if is_exact.all():
        return pa.nulls(len(is_exact), pa.binary())
    offsets = pending.blocks.offsets
    ends = np.where(is_exact, -1, offsets[1:][positions])
    return span_column(pending.blocks.data, np.stack([offsets[:-1][positions], ends], axis=1), pa.binary())
