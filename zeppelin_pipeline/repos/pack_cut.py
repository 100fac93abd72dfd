"""A pack made smaller: rows of hidden or gone accounts, CARs that a later one replaced, and CARs past their time.

A part is rewritten under its own path, a row group at a time, and appears whole. It keeps the name of its content: what
was extracted from it stands. Which rows go, and whether they may, is the callers' business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from zeppelin_pipeline.lake.schemas import PACK
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.pack import (
    ABSENT,
    CONTENT,
    ENCODING,
    PIECE,
    latest_places,
    part_identities,
    with_all_columns,
)

#: In a part's metadata: it holds no CARs any more.
WITHOUT_CARS: Final = "without_cars"
#: What is known of an account no more once its data is removed.
_EMPTIED: Final = ("rev", "detail", "did_document", "former_keys", "car")
_NARROW: Final = [name for name in PACK.names if name != "car"]


@dataclass(frozen=True, slots=True)
class PackCut:
    """What was cut.

    Attributes:
        parts: rewritten.
        bytes_freed: of files.
    """

    parts: int = 0
    bytes_freed: int = 0

    def __add__(self, other: "PackCut") -> "PackCut":
        return PackCut(self.parts + other.parts, self.bytes_freed + other.bytes_freed)


def cut_pack(lake: Lake, shard: str, removed: Mapping[str, str], *, without_cars: bool) -> PackCut:
    """Rewrites the parts of a pack in which something is to go; the caller has locked it.

    The latest row of a removed account stays, without what it said, so that nothing is fetched again for want of it.

    Args:
        lake: with the pack.
        shard: its key.
        removed: statuses of the accounts whose data goes, by DID.
        without_cars: all CARs go too.
    """
    cut = PackCut()
    parts = part_identities(lake, shard)
    places = latest_places(lake, [part.path for part in parts])
    for number, part in enumerate(parts):
        with lake.open_parquet(part.path) as file:
            has_cars = WITHOUT_CARS not in lake.read_metadata(part.path)
            rows = file.read(["did", "state"]).to_pydict()
            states = list(zip(rows["did"], rows["state"], strict=True))
            goes = without_cars or not has_cars
            keeps = [
                _is_latest(places[did], number, index) and (state != PIECE or not (goes or did in removed))
                for index, (did, state) in enumerate(states)
            ]
            is_told = any(did in removed and state != ABSENT for did, state in states)
            if all(keeps) and not is_told and not (without_cars and has_cars):
                continue
            content = {"shard": shard, CONTENT: part.content}
            if goes:
                content |= {WITHOUT_CARS: "yes"}
            before = lake.size(part.path)
            with lake.open_writer(part.path, PACK, metadata=content, encoding=ENCODING) as writer:
                first = 0
                for group in range(file.num_row_groups):
                    table = _read_group(file, group, is_without_cars=WITHOUT_CARS in content)
                    writer.write_table(_cut(table, keeps[first : first + table.num_rows], removed))
                    first += table.num_rows
                after = writer.commit().bytes
        cut += PackCut(1, before - after)
    return cut


def _is_latest(place: tuple[int, int, int], part: int, row: int) -> bool:
    """Whether a row, or a piece of its CAR, is of the latest outcome."""
    latest, first, last = place
    return part == latest and first <= row <= last


def has_data(lake: Lake, shard: str, removed: Mapping[str, str]) -> bool:
    """Whether a pack has a row of an account that is to be removed which still says something."""
    for part in part_identities(lake, shard):
        with lake.open_parquet(part.path) as file:
            rows = file.read(["did", "state"]).to_pydict()
        if any(did in removed and state != ABSENT for did, state in zip(rows["did"], rows["state"], strict=True)):
            return True
    return False


def _read_group(file: pq.ParquetFile, group: int, *, is_without_cars: bool) -> pa.Table:
    if not is_without_cars:
        return with_all_columns(file.read_row_group(group))
    return with_all_columns(file.read_row_group(group, columns=_NARROW))


def _cut(table: pa.Table, keeps: list[bool], removed: Mapping[str, str]) -> pa.Table:
    kept = table.filter(pa.array(keeps, pa.bool_()))
    statuses = pa.array([removed.get(did) for did in kept["did"].to_pylist()], pa.string())
    is_removed = pc.is_valid(statuses)
    columns: dict[str, Any] = {name: kept[name] for name in PACK.names}
    for name in _EMPTIED:
        columns[name] = pc.if_else(is_removed, pa.scalar(None, PACK.field(name).type), columns[name])
    columns["state"] = pc.if_else(is_removed, ABSENT, columns["state"])
    columns["reason"] = pc.if_else(is_removed, statuses, columns["reason"])
    return pa.table(columns, schema=PACK)
