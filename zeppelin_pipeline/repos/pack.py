"""Packs: the fetched repositories of a shard, in numbered Parquet parts. Written by the fetch, read by the extraction.

A later part wins for a DID, and within a part the later row. A part is durable when it has reached its size or its age;
its row groups are small, so that a reader needs memory for one of them only.
"""

import struct
import threading
import time
from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate, groupby
from operator import itemgetter
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.encoding import Encoding
from zeppelin_pipeline.lake.schemas import PACK
from zeppelin_pipeline.lake.store import FileStats, Lake, LakeWriter

FETCHED: Final = "fetched"
ABSENT: Final = "absent"
FAILED: Final = "failed"
#: Not an outcome: the row holds a piece of the CAR of the outcome that follows, in a row group of its own.
PIECE: Final = "piece"

#: CARs and documents are each of their own.
ENCODING: Final = Encoding(dictionaries=frozenset({"host"}))


@dataclass(frozen=True, slots=True)
class PackRow:
    """What fetching one repository came to, as in the schema `PACK`.

    Attributes:
        rev: of the commit in the CAR; null without a sound one.
        state: fetched | absent | failed.
        reason: null when fetched.
        detail: for a person; when fetched, what is wrong with the repository as its account published it.
        did_document: JSON as served; null when it could not be had, or was not asked for.
        former_keys: multibase; signing keys that were the account's when `rev` was made, and are not now.
        car: the CAR; null when there is none. Read from a pack it is a view, which keeps its whole row group in memory.
    """

    did: str
    host: str
    rev: str | None
    state: str
    reason: str | None
    detail: str | None
    fetched_at: datetime
    did_document: str | None
    former_keys: Sequence[str] | None
    car: bytes | memoryview | None


@dataclass(frozen=True, slots=True)
class PackSettings:
    """When rows become durable.

    Attributes:
        part_bytes: CAR bytes after which a part is closed.
        part_seconds: age after which a part is closed.
        row_group_bytes: CAR bytes held in memory, at most one row more.
        piece_bytes: a larger CAR is written, and read, in pieces of this size.
    """

    part_bytes: int = 64_000_000
    part_seconds: float = 30.0
    row_group_bytes: int = 8_000_000
    piece_bytes: int = 16_000_000


class PackWriter:
    """Appends parts to a shard's pack. Safe to use from several threads, one writer to a shard."""

    def __init__(self, lake: Lake, shard: str, settings: PackSettings | None = None) -> None:
        self.parts: list[FileStats] = []
        self._lake = lake
        self._shard = shard
        self._settings = settings or PackSettings()
        self._next_part = _next_part(lake, shard)
        self._lock = threading.Lock()
        self._writer: LakeWriter | None = None
        self._rows: list[PackRow] = []
        self._row_bytes = 0
        self._part_bytes = 0
        self._opened_at = 0.0

    def add(self, row: PackRow) -> None:
        """Takes a row; it is durable after `flush`, or when its part is full or old."""
        with self._lock:
            if self._is_empty():
                self._opened_at = time.monotonic()
            row = self._without_first_pieces(row)
            self._rows.append(row)
            size_bytes = len(row.car or b"") + len(row.did_document or "")
            self._row_bytes += size_bytes
            self._part_bytes += size_bytes
            if self._row_bytes >= self._settings.row_group_bytes:
                self._write_row_group()
            if self._part_bytes >= self._settings.part_bytes:
                self._commit()

    def flush_old(self) -> None:
        """Makes durable what has waited for longer than the settings say; to be called now and then."""
        with self._lock:
            if not self._is_empty() and time.monotonic() - self._opened_at >= self._settings.part_seconds:
                self._commit()

    def flush(self) -> None:
        """Makes every row taken so far durable."""
        with self._lock:
            if not self._is_empty():
                self._commit()

    def abort(self) -> None:
        """Drops what is not durable yet; nothing happens after `flush`."""
        with self._lock:
            self._rows.clear()
            if self._writer is not None:
                self._writer.abort()
                self._writer = None

    def _without_first_pieces(self, row: PackRow) -> PackRow:
        """Writes a large CAR but for its last piece, which is left in the row."""
        piece_bytes = self._settings.piece_bytes
        if row.car is None or len(row.car) <= piece_bytes:
            return row
        if self._rows:
            self._write_row_group()
        car, at = memoryview(row.car), 0
        while len(car) - at > piece_bytes:
            self._rows.append(replace(row, state=PIECE, car=car[at : at + piece_bytes]))
            self._write_row_group()
            at += piece_bytes
        self._part_bytes += at
        return replace(row, car=car[at:])

    def _is_empty(self) -> bool:
        return self._writer is None and not self._rows

    def _write_row_group(self) -> None:
        if self._writer is None:
            path = layout.pack_part(self._shard, self._next_part)
            self._writer = self._lake.open_writer(path, PACK, metadata={"shard": self._shard}, encoding=ENCODING)
        self._writer.write_table(_to_table(self._rows))
        self._rows.clear()
        self._row_bytes = 0

    def _commit(self) -> None:
        if self._rows:
            self._write_row_group()
        assert self._writer is not None
        self.parts.append(self._writer.commit())
        self._writer = None
        self._next_part += 1
        self._part_bytes = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The latest outcome of an account: its state, and when it was asked for."""

    state: str
    fetched_at: datetime


def settled_dids(lake: Lake, shard: str) -> set[str]:
    """The DIDs of a shard that need no fetching: those whose latest row is fetched or absent."""
    return {did for did, outcome in latest_outcomes(lake, shard).items() if outcome.state != FAILED}


def latest_outcomes(lake: Lake, shard: str) -> dict[str, Outcome]:
    """The latest outcome of each DID of the pack."""
    outcomes: dict[str, Outcome] = {}
    for path in _parts(lake, shard):
        with lake.open_parquet(path) as file:
            columns = file.read(["did", "state", "fetched_at"]).to_pydict()
        outcomes |= {
            did: Outcome(state, fetched_at)
            for did, state, fetched_at in zip(columns["did"], columns["state"], columns["fetched_at"], strict=True)
        }
    return outcomes


@dataclass(frozen=True, slots=True)
class PartIdentity:
    """A part of a pack, and what names its content: the same still when it was rewritten without what nobody needs."""

    path: str
    content: str


#: In a part's metadata: its content's name, kept when the part is rewritten without CARs that nobody needs.
CONTENT: Final = "content"


def part_identities(lake: Lake, shard: str) -> list[PartIdentity]:
    """The parts of a pack in their order; none when there is no pack."""
    return [
        PartIdentity(path, lake.read_metadata(path).get(CONTENT) or str(lake.size(path)))
        for path in _parts(lake, shard)
    ]


def pack_dids(lake: Lake, parts: Iterable[str]) -> set[str]:
    """The DIDs that some parts have rows of."""
    return set(latest_places(lake, parts))


def pack_rows(
    lake: Lake, shard: str, parts: Sequence[str] | None = None, dids: Container[str] | None = None
) -> Iterator[PackRow]:
    """The latest row of each DID, in the order of the parts; of all parts or of some, of all DIDs or of some.

    The caller lets go of a row before it asks for the next one.

    Memory is bounded by the shard's DIDs and one row group, or one large CAR: a first pass over the narrow columns
    finds which row is the latest, a second one reads only the row groups that hold such rows.
    """
    paths = _parts(lake, shard) if parts is None else parts
    places = latest_places(lake, paths)
    wanted = sorted(place for did, place in places.items() if dids is None or did in dids)
    for part, group in groupby(wanted, key=itemgetter(0)):
        with lake.open_parquet(paths[int(part)]) as file:
            yield from _rows_of_part(file, [(first, last) for _, first, last in group])


def latest_places(lake: Lake, parts: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Where each DID's latest outcome is: its part's place in the list of parts, its first row (piece) and its last."""
    places: dict[str, tuple[int, int, int]] = {}
    for part, path in enumerate(parts):
        with lake.open_parquet(path) as file:
            columns = file.read(["did", "state"]).to_pydict()
        first = 0
        for index, (did, state) in enumerate(zip(columns["did"], columns["state"], strict=True)):
            if state != PIECE:
                places[did] = part, first, index
                first = index + 1
    return places


def _rows_of_part(file: pq.ParquetFile, places: list[tuple[int, int]]) -> Iterator[PackRow]:
    """The outcomes at some places of a part, each from its first row to its last, ascending."""
    rows = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    starts = list(accumulate(rows, initial=0))
    held: tuple[int, list[PackRow]] | None = None
    for first, last in places:
        group = bisect_right(starts, last) - 1
        if first < last:
            held = None
            yield _pieced_row(file, range(bisect_right(starts, first) - 1, group + 1))
            continue
        if held is None or held[0] != group:
            held = None
            held = group, _to_rows(file.read_row_group(group, use_threads=False))
        yield held[1][last - starts[group]]


def _pieced_row(file: pq.ParquetFile, groups: range) -> PackRow:
    """The outcome whose CAR is in several row groups, one row each; only one piece is in memory twice."""
    car_at = PACK.names.index("car")
    # Encoded values are never smaller than what they hold, so that this is enough.
    sizes = [file.metadata.row_group(group).column(car_at).total_uncompressed_size for group in groups]
    car, at = np.empty(sum(sizes), np.uint8), 0
    row: PackRow | None = None
    for group in groups:
        row = _to_rows(file.read_row_group(group, use_threads=False))[0]
        piece = np.frombuffer(row.car or b"", np.uint8)
        car[at : at + len(piece)] = piece
        at += len(piece)
    assert row is not None
    return replace(row, car=car[:at].data)


def _next_part(lake: Lake, shard: str) -> int:
    parts = _parts(lake, shard)
    return layout.part_number(parts[-1]) + 1 if parts else 0


def _parts(lake: Lake, shard: str) -> list[str]:
    return lake.list(layout.pack(shard))


def _to_table(rows: list[PackRow]) -> pa.Table:
    columns = {name: [getattr(row, name) for row in rows] for name in PACK.names if name != "car"}
    return pa.table({**columns, "car": _to_cars([row.car for row in rows])}, schema=PACK)


def _to_cars(cars: list[bytes | memoryview | None]) -> pa.Array:
    """The column of CARs. A large one is alone in its row group, and is then not copied."""
    if len(cars) == 1 and cars[0]:
        offsets = pa.py_buffer(struct.pack("=2q", 0, len(cars[0])))
        return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(cars[0])])
    return pa.array(cars, pa.large_binary())


def with_all_columns(table: pa.Table) -> pa.Table:
    """Rows of a pack with null in the columns that were not read, or that the pack is too old to have."""
    for field in PACK:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(PACK.names)


def _to_rows(table: pa.Table) -> list[PackRow]:
    table = with_all_columns(table)
    fields = cast("list[dict[str, Any]]", table.drop_columns(["car"]).to_pylist())
    # Arrow gives out signed bytes; the protocol's are unsigned.
    cars = (memoryview(car.as_buffer()).cast("B") if car.is_valid else None for car in table["car"])
    return [PackRow(**row, car=car) for row, car in zip(fields, cars, strict=True)]
