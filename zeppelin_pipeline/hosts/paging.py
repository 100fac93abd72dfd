"""How a list of a host is paged by cursors: the next page, the end, and the loop that has none."""

from typing import Any, Final, cast

from zeppelin_pipeline.errors import UpstreamError
from zeppelin_pipeline.hosts.client import HostClient

_LONGEST_CURSOR: Final = 4096
_PAGE_ITEMS: Final = 1000  # the most that the lexicons of the listing methods allow


class CursorTrail:
    """The way through a paged list.

    A host that gives a cursor again would be paged for ever. One earlier cursor is remembered, moved up after 1, 2, 4,
    … pages (Brent's algorithm): any loop is found, of whatever length, in memory for one cursor.
    """

    def __init__(self, cursor: str = "") -> None:
        """Starts at the beginning, or behind a page that is already had.

        Args:
            cursor: what the next request sends; empty for the first page.
        """
        self.cursor: str | None = cursor
        self._landmark = cursor
        self._steps = 0
        self._stride = 1

    def advance(self, body: object, items_key: str) -> list[Any]:
        """Takes a page's body; `cursor` is then what the next request sends, null at the end.

        Returns:
            The page's items, unchecked.

        Raises:
            UpstreamError: `upstream-malformed`, no list under the key or a cursor that is none, which may pass;
                `cursor-loop`, the host leads in a circle.
        """
        page = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        items, cursor = page.get(items_key), page.get("cursor")
        if not isinstance(items, list):
            raise UpstreamError("upstream-malformed", f"no list {items_key!r}", is_transient=True)
        if cursor is not None and (not isinstance(cursor, str) or len(cursor) > _LONGEST_CURSOR):
            raise UpstreamError("upstream-malformed", "the cursor is no short text", is_transient=True)
        self._step(cursor or None)
        return cast("list[Any]", items)

    def _step(self, cursor: str | None) -> None:
        if cursor is not None and cursor in {self._landmark, self.cursor}:
            raise UpstreamError("cursor-loop", f"cursor {cursor[:100]!r} came again", is_transient=False)
        self.cursor = cursor
        self._steps += 1
        if cursor is not None and self._steps == self._stride:
            self._landmark, self._steps, self._stride = cursor, 0, self._stride * 2


async def next_page(client: HostClient, nsid: str, items_key: str, trail: CursorTrail) -> list[Any]:
    """Asks for the page at the trail's cursor and moves the trail on; a page that is none is asked for again.

    Raises:
        UpstreamError: as `HostClient.retrying` of the request and of `CursorTrail.advance`.
    """
    parameters: dict[str, str | int] = {"limit": _PAGE_ITEMS}
    if trail.cursor:
        parameters["cursor"] = trail.cursor

    async def attempt() -> list[Any]:
        return trail.advance(await client.query_once(nsid, parameters), items_key)

    return await client.retrying(attempt)
