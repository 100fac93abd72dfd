"""Records of one dataset that wait to be read together; what is in their blocks is not looked at here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from zeppelin_pipeline.records.texts import Texts


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

    They are copies, so that a repository is not kept in memory by a few of its records.
    """

    runs: list[Run] = field(default_factory=list)
    rkeys: Texts = field(default_factory=Texts)
    cids: Texts = field(default_factory=Texts)
    blocks: Texts = field(default_factory=Texts)

    def __len__(self) -> int:
        return len(self.blocks)

    @property
    def size_bytes(self) -> int:
        """Of the blocks."""
        return self.blocks.size_bytes

    def add(
        self, source: Source, collection: str, rkeys: Sequence[bytes], cids: Sequence[bytes], blocks: Sequence[bytes]
    ) -> None:
        """Appends one run; the three sequences are equally long."""
        self.runs.append(Run(source, collection, len(blocks)))
        self.rkeys.extend(rkeys)
        self.cids.extend(cids)
        self.blocks.extend(blocks)

    def add_each(
        self,
        sources: Sequence[Source],
        collections: Sequence[str],
        rkeys: Sequence[bytes],
        cids: Sequence[bytes],
        blocks: Sequence[bytes],
    ) -> None:
        """Appends records of repositories and collections of their own, each a run; all sequences are equally long."""
        pairs = zip(sources, collections, strict=True)
        self.runs.extend(Run(source, collection, 1) for source, collection in pairs)
        self.rkeys.extend(rkeys)
        self.cids.extend(cids)
        self.blocks.extend(blocks)

    @cached_property
    def run_of(self) -> "npt.NDArray[np.int32]":
        """The index in `runs` of each position; asked for when nothing is added any more."""
        counts = [run.count for run in self.runs]
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)
