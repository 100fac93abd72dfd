"""Records of one dataset that wait to be read together; what is in their blocks is not looked at here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Source:
    """The repository that records come from.

    Attributes:
        did: its account.
        host: the PDS host that served it.
        fetched_at_micros: when, microseconds since the epoch.
    """

    did: str
    host: str
    fetched_at_micros: int


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring records of one collection of one repository."""

    source: Source
    collection: str
    count: int


@dataclass
class Pending:
    """Records by position: `rkeys[i]`, `cids[i]` and `blocks[i]` are one record's; runs tell whose, in the same order.

    Attributes:
        size_bytes: of the blocks.
    """

    runs: list[Run] = field(default_factory=list)
    rkeys: list[bytes] = field(default_factory=list)
    cids: list[bytes] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    size_bytes: int = 0

    def __len__(self) -> int:
        return len(self.blocks)

    def add(
        self, source: Source, collection: str, rkeys: Sequence[bytes], cids: Sequence[bytes], blocks: Sequence[bytes]
    ) -> None:
        """Appends one run; the three sequences are equally long."""
        self.runs.append(Run(source, collection, len(blocks)))
        self.rkeys.extend(rkeys)
        self.cids.extend(cids)
        self.blocks.extend(blocks)
        self.size_bytes += sum(map(len, blocks))

    @cached_property
    def run_of(self) -> "npt.NDArray[np.int32]":
        """The index in `runs` of each position; asked for when nothing is added any more."""
        counts = [run.count for run in self.runs]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)
