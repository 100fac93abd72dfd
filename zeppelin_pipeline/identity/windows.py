"""The windows of the PLC directory's export by name; what is in one is `plc_follow`'s business."""

from typing import Final

#: All windows, as whoever schedules their work knows them.
WINDOWS: Final = "plc_windows"


def window_key(window: int) -> str:
    """A window by its place in the export's order: `{nnnnnn}`."""
    return f"{window:06d}"
