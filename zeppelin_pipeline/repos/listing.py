"""Listing: which repositories a host has, page by page of `com.atproto.sync.listRepos`. Nothing is planned or fetched.

A page is a durable file before its cursor is used, and the file itself holds the cursors: after a kill at any point
the pass goes on behind its last page. A pass is complete when its last page leads nowhere. A failed page is an error,
never an end.
"""

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import pyarrow as pa

from zeppelin_pipeline.atproto.syntax import is_cid, is_did, is_tid
from zeppelin_pipeline.errors import CorruptStateError, UpstreamError
from zeppelin_pipeline.hosts.client import HostClient
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.hosts.paging import CursorTrail, next_page
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import LISTING
from zeppelin_pipeline.lake.store import Lake

#: A hundred million repositories: more than twice the network of 2026 on one host.
_MOST_PAGES: Final = 100_000
_LONGEST_STATUS: Final = 64


@dataclass(frozen=True, slots=True)
class ListingResult:
    """A complete pass over one host.

    Attributes:
        host: its key.
        pass_number: of the pass, from 0.
        pages: of the pass.
        repos: rows of the pass, as the host gave them.
        rejected: entries set aside, as they name no DID.
        seconds: that this call took.
        is_reused: whether the pass was complete before this call.
    """

    host: str
    pass_number: int
    pages: int
    repos: int
    rejected: int
    seconds: float
    is_reused: bool


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far a pass is, as its last page's file says.

    Attributes:
        cursor: where the next page begins; null when the pass is complete.
        repos, rejected: of all pages of the pass so far.
        listed_at: when the last page was had; null before the first.
    """

    pages: int = 0
    cursor: str | None = ""
    repos: int = 0
    rejected: int = 0
    listed_at: datetime | None = None


async def list_host(
    client: HostClient,
    lake: Lake,
    host: Host,
    *,
    reuse_for: timedelta = timedelta(0),
    progress: Callable[[int], None] = lambda _repos: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ListingResult:
    """Completes a pass: goes on with an unfinished one, reuses a complete one that is young enough, else starts anew.

    So it does when the host knows the unfinished one's cursor no more.

    Args:
        client: of the host.
        lake: where the pages go.
        host: whom to list.
        reuse_for: age up to which a complete pass will do.
        progress: called after each page with the repositories listed in this pass so far.
        now: the clock that pages are stamped with.

    Raises:
        UpstreamError: a page could not be had within the client's retries (the next call goes on from there),
            `cursor-loop`, or `too-many-pages`.
        CorruptStateError: pages are missing in the middle of the pass.
    """
    started = time.monotonic()
    pass_number, reached = _last_pass(lake, host.key)
    is_reused = reached.listed_at is not None and reached.cursor is None and now() - reached.listed_at < reuse_for
    if reached.cursor is None and not is_reused:
        pass_number, reached = pass_number + 1, _Progress()
    if reached.cursor is not None:
        is_resumed = reached.pages > 0
        try:
            reached = await _complete(client, lake, host, pass_number, reached, now, progress)
        except UpstreamError as error:
            if error.is_transient or not is_resumed:
                raise
            pass_number += 1  # the cursor of before leads nowhere any more
            reached = await _complete(client, lake, host, pass_number, _Progress(), now, progress)
    return ListingResult(
        host=host.key,
        pass_number=pass_number,
        pages=reached.pages,
        repos=reached.repos,
        rejected=reached.rejected,
        seconds=time.monotonic() - started,
        is_reused=is_reused,
    )


@dataclass(frozen=True, slots=True)
class CompletePass:
    """The newest complete pass over a host: its number and the paths of its pages in order."""

    host: Host
    pass_number: int
    pages: tuple[str, ...]
    repos: int


def latest_complete_pass(lake: Lake, host: str) -> CompletePass | None:
    """The newest complete pass over a host (by its key); null when there is none."""
    return _latest_complete(lake, layout.listing_host(host))


def complete_passes(lake: Lake) -> list[CompletePass]:
    """The newest complete pass of every host that has one, in order of the hosts' keys."""
    folders = (f"{layout.LISTING}/{name}" for name in lake.folders(layout.LISTING))
    found = [found for folder in folders if (found := _latest_complete(lake, folder)) is not None]
    return sorted(found, key=lambda each: each.host.key)


def _latest_complete(lake: Lake, folder: str) -> CompletePass | None:
    for name in reversed(lake.folders(folder)):
        pages = _pages(lake, f"{folder}/{name}")
        if pages and _read_progress(lake, pages).cursor is None:
            fields = lake.read_metadata(pages[-1])
            return CompletePass(Host(fields["host"], fields["url"]), int(name), tuple(pages), int(fields["repos"]))
    return None


def _last_pass(lake: Lake, host: str) -> tuple[int, _Progress]:
    """The newest pass over a host and how far it is; number 0, not begun, when there is none."""
    names = lake.folders(layout.listing_host(host))
    number = int(names[-1]) if names else 0
    return number, _read_progress(lake, _pages(lake, layout.listing_pass(host, number)))


def _pages(lake: Lake, folder: str) -> list[str]:
    paths = lake.list(folder)
    if [path.rpartition("/")[2] for path in paths] != [layout.page_name(number) for number in range(len(paths))]:
        raise CorruptStateError(f"the pages of {folder} are not numbered from 0 on")
    return paths


def _read_progress(lake: Lake, pages: list[str]) -> _Progress:
    if not pages:
        return _Progress()
    fields = lake.read_metadata(pages[-1])
    return _Progress(
        pages=len(pages),
        cursor=fields["cursor_out"] or None,
        repos=int(fields["repos"]),
        rejected=int(fields["rejected"]),
        listed_at=datetime.fromisoformat(fields["listed_at"]),
    )


async def _complete(
    client: HostClient,
    lake: Lake,
    host: Host,
    pass_number: int,
    reached: _Progress,
    now: Callable[[], datetime],
    progress: Callable[[int], None],
) -> _Progress:
    """Goes on with a pass to its end; gives how far that is."""
    async for page in _next_pages(client, lake, host, pass_number, reached, now):
        reached = page
        progress(reached.repos)
    return reached


async def _next_pages(
    client: HostClient, lake: Lake, host: Host, pass_number: int, reached: _Progress, now: Callable[[], datetime]
) -> AsyncGenerator[_Progress]:
    """Appends pages to the pass until its end; yields how far it is after each."""
    trail = CursorTrail(reached.cursor or "")
    while trail.cursor is not None:
        if reached.pages >= _MOST_PAGES:
            raise UpstreamError("too-many-pages", f"{host.key}: {_MOST_PAGES}", is_transient=False)
        cursor_in = trail.cursor
        entries = await next_page(client, "com.atproto.sync.listRepos", "repos", trail)
        rows = [row for row in map(_to_row, entries) if row is not None]
        path = layout.listing_page(host.key, pass_number, reached.pages)
        reached = _Progress(
            pages=reached.pages + 1,
            cursor=trail.cursor,
            repos=reached.repos + len(rows),
            rejected=reached.rejected + len(entries) - len(rows),
            listed_at=now(),
        )
        table = pa.Table.from_pylist(rows, schema=LISTING)
        lake.write_table(path, table, metadata=_metadata(host, cursor_in, reached))
        yield reached


def _metadata(host: Host, cursor_in: str, reached: _Progress) -> dict[str, str]:
    assert reached.listed_at is not None
    return {
        "host": host.key,
        "url": host.url,
        "cursor_in": cursor_in,
        "cursor_out": reached.cursor or "",
        "listed_at": reached.listed_at.isoformat(),
        "repos": str(reached.repos),
        "rejected": str(reached.rejected),
    }


def _to_row(entry: object) -> dict[str, Any] | None:
    """A row of the schema `LISTING`; null when the entry names no DID. Other fields that are none are left empty."""
    if not isinstance(entry, dict):
        return None
    fields = cast("dict[str, Any]", entry)
    did, head, rev, status = (_text(fields.get(name)) for name in ("did", "head", "rev", "status"))
    if did is None or not is_did(did):
        return None
    return {
        "did": did,
        "head": head if head and is_cid(head) else None,
        "rev": rev if rev and is_tid(rev) else None,
        "active": fields.get("active") is not False,  # hosts older than the field list active accounts only
        "status": status[:_LONGEST_STATUS] if status else None,
    }


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
