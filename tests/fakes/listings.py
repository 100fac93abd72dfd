"""Complete listings written straight into a lake, as the listing would have: for tests of what reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from zeppelin_pipeline.hosts.host import parse_host
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import LISTING
from zeppelin_pipeline.lake.store import Lake

LISTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def write_listing(
    lake: Lake,
    host: str,
    revs: Mapping[str, str | None] | Sequence[tuple[str, str | None]],
    *,
    number: int = 0,
    page_size: int = 1000,
) -> None:
    """Writes a complete pass over a host that lists these DIDs with their revs."""
    rows = list(revs.items()) if isinstance(revs, Mapping) else list(revs)
    parsed = parse_host(host)
    starts = range(0, max(len(rows), 1), page_size)
    for page, start in enumerate(starts):
        part = rows[start : start + page_size]
        table = pa.Table.from_pylist(
            [{"did": did, "head": None, "rev": rev, "active": True, "status": None} for did, rev in part],
            schema=LISTING,
        )
        is_last = page == len(starts) - 1
        metadata = {
            "host": parsed.key,
            "url": parsed.url,
            "cursor_in": str(page or ""),
            "cursor_out": "" if is_last else str(page + 1),
            "listed_at": LISTED_AT.isoformat(),
            "repos": str(start + len(part)),
            "rejected": "0",
        }
        lake.write_table(layout.listing_page(parsed.key, number, page), table, metadata=metadata)
