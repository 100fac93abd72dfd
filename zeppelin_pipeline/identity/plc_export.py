"""The export of a PLC directory as it is paged: lines read, the cursor that loses no tie, pages kept in the lake.

`/export?after=` gives operations after a time, in the order of time, and times are whole milliseconds: a page can end
among operations of one millisecond. So the next page is asked for from just before the last time, and what is known is
dropped. Where the directory numbers its operations (`seq`), the number is the cursor and nothing is asked for twice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
import pyarrow as pa

from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.atproto.syntax import format_datetime, is_did, parse_datetime
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import PLC_OPERATIONS
from zeppelin_pipeline.lake.store import Lake

PAGE_OPERATIONS: Final = 1000
#: A thousand operations of the largest size that the directory ever took (7,500 bytes).
MAX_PAGE_BYTES: Final = 16_000_000
BAD_LINE: Final = "plc-line"
_MILLISECOND_MICROS: Final = 1000
_SEQ_LIMIT: Final = 1 << 63
#: What is longer is none, and could not even be indexed.
_LONGEST_CID: Final = 200


@dataclass(frozen=True, slots=True)
class ExportLine:
    """One line of the export; of one that cannot be read only the text is known.

    Attributes:
        did: of the operation; null when the line cannot be read.
        cid: as the directory says.
        operation: its JSON, or the whole line when that cannot be read.
        created_at_micros: when the directory took it.
        is_nullified: the directory says that a later operation took it back.
        seq: its number, where the directory gives numbers.
    """

    did: str | None
    cid: str
    operation: str
    created_at_micros: int | None
    is_nullified: bool = False
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """Behind which operation the export goes on; both null at its beginning."""

    time_micros: int | None = None
    seq: int | None = None

    def after(self) -> str | None:
        """The parameter `after`: a number, or a time that the last operation's own millisecond comes after."""
        if self.seq is not None:
            return str(self.seq)
        if self.time_micros is None:
            return None
        return format_datetime(self.time_micros - self.time_micros % _MILLISECOND_MICROS - _MILLISECOND_MICROS)

    def behind(self, lines: Iterable[ExportLine]) -> "ExportCursor":
        """The cursor behind these lines too."""
        times = [line.created_at_micros for line in lines if line.created_at_micros is not None]
        seqs = [line.seq for line in lines if line.seq is not None]
        if self.time_micros is not None:
            times.append(self.time_micros)
        return ExportCursor(max(times, default=None), max(seqs, default=None))


def read_lines(body: bytes) -> list[ExportLine]:
    """The lines of a page, unreadable ones among them."""
    return [_read_line(line) for line in body.split(b"\n") if line.strip()]


def _read_line(line: bytes) -> ExportLine:
    try:
        value = orjson.loads(line)
        parsed = _parse_line(cast("dict[str, Any]", value)) if isinstance(value, dict) else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, InvalidDataError):  # to be encoded it may be too deep
        parsed = None
    return parsed or ExportLine(None, "", line.decode("utf-8", "replace"), None)


def _parse_line(fields: dict[str, Any]) -> ExportLine | None:
    did, cid, created_at, seq = (fields.get(name) for name in ("did", "cid", "createdAt", "seq"))
    if not (isinstance(did, str) and did.startswith("did:plc:") and is_did(did)):
        return None
    if (
        not isinstance(cid, str)
        or not (cid.isalnum() and len(cid) <= _LONGEST_CID)
        or not isinstance(created_at, str)
        or "operation" not in fields
    ):
        return None
    return ExportLine(
        did=did,
        cid=cid,
        operation=orjson.dumps(fields["operation"]).decode(),
        created_at_micros=parse_datetime(created_at),
        is_nullified=fields.get("nullified") is True,
        seq=seq if type(seq) is int and 0 <= seq < _SEQ_LIMIT else None,
    )


def write_page(lake: Lake, window: int, page: int, lines: Sequence[ExportLine]) -> None:
    """Keeps a page, durable on return."""
    table = pa.table(
        {
            "did": pa.array([line.did for line in lines], pa.string()),
            "cid": pa.array([line.cid for line in lines], pa.string()),
            "created_at": pa.array([line.created_at_micros for line in lines], pa.int64()).cast(
                PLC_OPERATIONS.field("created_at").type
            ),
            "seq": pa.array([line.seq for line in lines], pa.int64()),
            "nullified": pa.array([line.is_nullified for line in lines], pa.bool_()),
            "operation": pa.array([line.operation for line in lines], pa.string()),
        },
        schema=PLC_OPERATIONS,
    )
    lake.write_table(layout.plc_page(window, page), table)


def read_page(lake: Lake, window: int, page: int) -> list[ExportLine] | None:
    """A page that was kept; null when there is none."""
    path = layout.plc_page(window, page)
    if not lake.exists(path):
        return None
    with lake.open_parquet(path) as file:
        rows = file.read().to_pylist()
    return [
        ExportLine(
            row["did"],
            row["cid"],
            row["operation"],
            None if row["created_at"] is None else micros_of(row["created_at"]),
            row["nullified"],
            row["seq"],
        )
        for row in rows
    ]


def compact_window(lake: Lake, window: int) -> bool:
    """Joins the pages of a window that is complete in one file; whether there was anything to do.

    The file stands before a page is deleted: a call that was cut off is made good by the next.
    """
    pages = lake.list(layout.plc_pages(window))
    if not pages:
        return False
    if not lake.exists(layout.plc_window(window)):
        with lake.open_writer(layout.plc_window(window), PLC_OPERATIONS) as writer:
            for path in pages:
                with lake.open_parquet(path) as file:
                    writer.write_table(file.read())
            writer.commit()
    for path in pages:
        lake.delete(path)
    return True
