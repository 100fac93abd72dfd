"""The key ranges that derived tables are cut into, by the account that a count is of; arithmetic only."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

#: Key ranges an aggregate is cut into: each is one partition, one transaction, and bounded work.
RANGES: Final = 64
_WIDTH: Final = (1 << 64) // RANGES
_LOWEST: Final = -(1 << 63)
#: An account's range is told by the upper bits of its key.
SHIFT: Final = 64 - (RANGES.bit_length() - 1)


def range_names() -> list[str]:
    """The names of the key ranges, in order of their keys: `00` to `3f`."""
    return [range_name(number) for number in range(RANGES)]


def range_name(number: int) -> str:
    """The name of a range by its place in the order of keys."""
    return f"{number:02x}"


def range_bounds(key_range: str) -> tuple[int, int]:
    """The lowest and the highest actor_id of a range; together the ranges are all of bigint.

    Raises:
        ValueError: there is no range of that name.
    """
    low = _LOWEST + range_names().index(key_range) * _WIDTH
    return low, low + _WIDTH - 1


def name_of_upper_bits(upper_bits: int) -> str:
    """The name of the range of an account, from its key shifted right by SHIFT."""
    return range_name(upper_bits + RANGES // 2)


def adjacent_ranges(key_ranges: Iterable[str], most: int) -> Iterator[list[str]]:
    """Ranges in order of their keys, together where nothing is between them.

    Args:
        key_ranges: names, each once.
        most: that are together, at least 1.
    """
    together: list[str] = []
    for name in sorted(key_ranges):
        if together and (len(together) == most or int(name, 16) != int(together[-1], 16) + 1):
            yield together
            together = []
        together.append(name)
    if together:
        yield together


def ranges_of(actors: pa.Array) -> set[int]:
    """The numbers of the ranges that these keys of accounts (int64, nulls left out) lie in."""
    keys = actors.drop_null().to_numpy(zero_copy_only=False)
    found = np.bincount((keys >> SHIFT) + RANGES // 2, minlength=RANGES)
    return {int(number) for number in np.flatnonzero(found)}
