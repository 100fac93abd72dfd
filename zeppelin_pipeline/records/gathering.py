"""Scanned repositories that wait to be handed on together: their entries side by side. No record is read here.

A repository has a few entries of many collections. To copy each run of them on its own takes longer than to read them,
so that the runs of many repositories are copied at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zeppelin_pipeline.atproto.cid import CID_BYTES
from zeppelin_pipeline.atproto.kernels.frames import as_bytes
from zeppelin_pipeline.atproto.scan import Run as ScannedRun
from zeppelin_pipeline.atproto.scan import ScannedRepository
from zeppelin_pipeline.records.pending import Pending, Run, Source
from zeppelin_pipeline.records.sorting import pending_key

Places = npt.NDArray[np.int64]


@dataclass(slots=True)
class Gathering:
    """Repositories in the order in which they were added, which are kept in memory until the gathering is let go of."""

    sources: list[Source] = field(default_factory=list[Source])
    repositories: list[ScannedRepository] = field(default_factory=list[ScannedRepository])
    entries: int = 0
    size_bytes: int = 0

    def add(self, source: Source, repository: ScannedRepository) -> None:
        """Appends a repository."""
        self.sources.append(source)
        self.repositories.append(repository)
        self.entries += len(repository)
        self.size_bytes += len(repository.data)

    def runs(self) -> "dict[str, list[PlacedRun]]":
        """The runs of all repositories in their order, by the key under which their records wait."""
        runs: dict[str, list[PlacedRun]] = {}
        before = 0
        for source, repository in zip(self.sources, self.repositories, strict=True):
            for run in repository.runs:
                runs.setdefault(pending_key(run.collection), []).append(PlacedRun(source, run, before + run.first))
            before += len(repository)
        return runs

    def join(self) -> "Entries":
        """The entries of all repositories; those of a single one without a copy of it."""
        repositories = self.repositories
        if len(repositories) == 1:
            only = repositories[0]
            return Entries(only.data, only.keys, only.starts, only.ends, only.key_offsets[:-1], only.key_offsets[1:])
        data_at = _sums([len(repository.data) for repository in repositories])
        keys_at = _sums([len(repository.keys) for repository in repositories])
        counts = [len(repository) for repository in repositories]
        by_data, by_keys = np.repeat(data_at, counts), np.repeat(keys_at, counts)
        return Entries(
            as_bytes(np.concatenate([repository.data for repository in repositories])),
            as_bytes(np.concatenate([repository.keys for repository in repositories])),
            np.concatenate([repository.starts for repository in repositories]) + by_data,
            np.concatenate([repository.ends for repository in repositories]) + by_data,
            np.concatenate([repository.key_offsets[:-1] for repository in repositories]) + by_keys,
            np.concatenate([repository.key_offsets[1:] for repository in repositories]) + by_keys,
        )


@dataclass(frozen=True, slots=True)
class PlacedRun:
    """A run of a repository, or a part of one, and its first entry's place among the entries of all repositories."""

    source: Source
    run: ScannedRun
    place: int

    def part(self, first: int, last: int) -> "PlacedRun":
        """The part from `first` to `last`, the latter not included, counted as in the run."""
        run = ScannedRun(self.run.collection, first, last)
        return PlacedRun(self.source, run, self.place + first - self.run.first)


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries by number.

    Attributes:
        data: record i is `data[starts[i]:ends[i]]`; the 36 bytes of its CID are before it.
        keys: its key is `keys[key_starts[i]:key_ends[i]]`.
    """

    data: npt.NDArray[np.uint8]
    keys: npt.NDArray[np.uint8]
    starts: Places
    ends: Places
    key_starts: Places
    key_ends: Places

    def copy_to(self, pending: Pending, runs: list[PlacedRun]) -> None:
        """Appends the runs' records."""
        counts = np.array([placed.run.last - placed.run.first for placed in runs], np.int64)
        firsts = np.array([placed.place for placed in runs], np.int64)
        heads = np.array([len(placed.run.collection) + 1 for placed in runs], np.int64)
        entries = np.repeat(firsts - _sums(counts), counts) + np.arange(counts.sum())
        starts = self.starts[entries]
        pending.runs.extend(
            Run(placed.source, placed.run.collection, count)
            for placed, count in zip(runs, counts.tolist(), strict=True)
        )
        pending.rkeys.append_slices(
            self.keys, self.key_starts[entries] + np.repeat(heads, counts), self.key_ends[entries]
        )
        pending.cids.append_slices(self.data, starts - CID_BYTES, starts)
        pending.blocks.append_slices(self.data, starts, self.ends[entries])


def parts_within(gathering: Gathering, runs: list[PlacedRun], most: int, most_bytes: int) -> Iterator[list[PlacedRun]]:
    """Splits runs by number and by bytes, at most one record more.

    Only of a gathering of one repository the parts are more than one: several are together within the limits.
    """
    if len(gathering.repositories) > 1 or (gathering.entries <= most and gathering.size_bytes <= most_bytes):
        yield runs
        return
    repository = gathering.repositories[0]
    for placed in runs:
        run = placed.run
        sizes = np.cumsum(repository.ends[run.first : run.last] - repository.starts[run.first : run.last])
        first, before = run.first, 0
        while first < run.last:
            by_bytes = run.first + int(np.searchsorted(sizes, before + most_bytes)) + 1
            last = min(run.last, first + most, by_bytes)
            yield [placed.part(first, last)]
            first, before = last, int(sizes[last - run.first - 1])


def _sums(sizes: "list[int] | Places") -> Places:
    """What lies before each of some things, one behind the other."""
    return np.cumsum(sizes, dtype=np.int64) - np.asarray(sizes, np.int64)
