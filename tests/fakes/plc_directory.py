"""A PLC directory's export: operations in the order in which they came, paged as the public one pages them."""

from typing import Any

import orjson

from zeppelin_pipeline.atproto.plc import PlcOperation, cid_text
from zeppelin_pipeline.atproto.syntax import format_datetime, parse_datetime
from zeppelin_pipeline.errors import UpstreamError

MILLISECOND = 1000


class FakeExport:
    """Attributes: `page_operations` of a page; `asked`, every `after`; `is_numbered`, whether lines have a `seq`."""

    def __init__(self, page_operations: int = 1000) -> None:
        self.page_operations = page_operations
        self.lines: list[dict[str, Any]] = []
        self.asked: list[str | None] = []
        self.is_numbered = False
        self.is_down = False

    def add(self, did: str, operation: PlcOperation, at_micros: int, *, nullified: bool = False) -> None:
        self.lines.append(
            {
                "did": did,
                "operation": operation.content(),
                "cid": cid_text(operation),
                "nullified": nullified,
                "createdAt": format_datetime(at_micros),
            }
        )

    async def get_page(self, after: str | None) -> bytes:
        self.asked.append(after)
        if self.is_down:
            raise UpstreamError("timeout", "silent", is_transient=True)
        lines: list[dict[str, Any]] = self.lines
        if self.is_numbered:
            lines = [line | {"seq": number} for number, line in enumerate(lines)]
        if after is None:
            chosen = lines
        elif after.isdigit():
            chosen = [line for line in lines if line["seq"] > int(after)]
        else:
            chosen = [line for line in lines if parse_datetime(line["createdAt"]) > parse_datetime(after)]
        return b"\n".join(map(orjson.dumps, chosen[: self.page_operations]))
