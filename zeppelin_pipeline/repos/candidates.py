"""Which host an account belongs to, decided in bounded memory. How decided accounts become shards is `plan`'s business.

The rows of all listings (tens of millions) and the accounts already planned are dealt into buckets on disk by a hash of
the DID, so that all that is said of an account is in one bucket; a bucket fits in memory and is decided alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from zeppelin_pipeline.errors import InvalidDataError, UpstreamError

#: Gives the key of an account's current host by its DID document; null when the document names none.
ResolveHost: TypeAlias = Callable[[str], Awaitable[str | None]]

#: In the column `host`: the account is in a shard already.
PLANNED: Final = -1
_ROWS_PER_BUCKET: Final = 1_000_000  # about 200 MB while it is decided
_RESOLUTIONS_AT_ONCE: Final = 50
_SCHEMA: Final = pa.schema(
    [
        pa.field("did", pa.string()),
        pa.field("host", pa.int32()),  # index of the host in the caller's list, or PLANNED
        pa.field("rev", pa.string()),
        pa.field("active", pa.bool_()),
        pa.field("status", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Decision:
    """What deciding found.

    Attributes:
        repos_by_host: new accounts of each host, by its index; hosts without any are left out.
        already_planned: accounts listed that are in a shard already.
        listed_twice: new accounts that more than one host lists.
        unresolved: of these, accounts whose document could not tell: the highest rev won.
        postponed: of these, accounts whose document could not be had for now: the next planning asks again.
    """

    repos_by_host: dict[int, int]
    already_planned: int = 0
    listed_twice: int = 0
    unresolved: int = 0
    postponed: int = 0


class Candidates:
    """Buckets of rows in a scratch folder: filled with `add`, decided once, then read by host."""

    def __init__(self, folder: Path, expected_rows: int, *, rows_per_bucket: int = _ROWS_PER_BUCKET) -> None:
        self._folder = folder
        self._buckets = max(1, -(-expected_rows // rows_per_bucket))
        self._writers = [pq.ParquetWriter(self._listed(bucket), _SCHEMA) for bucket in range(self._buckets)]

    def add(self, rows: pl.DataFrame) -> None:
        """Deals rows into their buckets; columns as in the schema, `host` PLANNED for accounts that are in a shard."""
        dealt = rows.with_columns((pl.col("did").hash() % self._buckets).alias("bucket"))
        for key, part in dealt.partition_by("bucket", as_dict=True, include_key=False).items():
            self._writers[int(key[0])].write_table(part.to_arrow().select(_SCHEMA.names).cast(_SCHEMA))

    async def decide(self, hosts: Sequence[str], resolve: ResolveHost) -> Decision:
        """Gives each new account one host; after it nothing can be added.

        The host that the account's DID document names wins when it lists the account; else the highest rev, and among
        equal ones the first host. An account whose document cannot be had for now is not decided.

        Args:
            hosts: keys, by the indexes used in `add`.
            resolve: asked for accounts only that more than one host lists.
        """
        for writer in self._writers:
            writer.close()
        counts: dict[int, int] = {}
        already = twice = unresolved = postponed = 0
        for bucket in range(self._buckets):
            listed, planned = self._read(bucket)
            new = listed.join(planned, on="did", how="anti")
            already += listed["did"].n_unique() - new["did"].n_unique()
            single = new.filter(pl.len().over("did") == 1)
            several = new.filter(pl.len().over("did") > 1)
            dids = several["did"].unique().to_list()
            current = await _resolve_all(dids, hosts, resolve)
            twice += len(dids)
            postponed += len(dids) - len(current)
            unresolved += sum(host is None for host in current.values())
            known = several.filter(pl.col("did").is_in(list(current)))
            winners = pl.concat([single, _choose(known, current)]).sort("host", "did")
            winners.write_parquet(self._decided(bucket), row_group_size=50_000)
            for host, count in winners.group_by("host").len().iter_rows():
                counts[host] = counts.get(host, 0) + count
        return Decision(counts, already, twice, unresolved, postponed)

    def winners(self, hosts: Iterable[int]) -> Iterator[pl.DataFrame]:
        """The decided rows of some hosts, a bucket at a time, sorted by host and DID within it."""
        wanted = list(hosts)
        for bucket in range(self._buckets):
            rows = pl.scan_parquet(self._decided(bucket)).filter(pl.col("host").is_in(wanted)).collect()
            if rows.height:
                yield rows

    def _read(self, bucket: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """A bucket's listed rows, one for a DID and host, and its planned DIDs."""
        rows = pl.read_parquet(self._listed(bucket))
        planned = rows.filter(pl.col("host") == PLANNED).select("did").unique()
        listed = rows.filter(pl.col("host") != PLANNED).sort("rev", descending=True, nulls_last=True)
        return listed.unique(["did", "host"], keep="first", maintain_order=True), planned

    def _listed(self, bucket: int) -> Path:
        return self._folder / f"listed-{bucket:05d}.parquet"

    def _decided(self, bucket: int) -> Path:
        return self._folder / f"decided-{bucket:05d}.parquet"


def _choose(several: pl.DataFrame, current: dict[str, int | None]) -> pl.DataFrame:
    """One row for each DID: the current host's, else the one of the highest rev."""
    named = pl.DataFrame(
        {"did": list(current), "current": list(current.values())}, schema={"did": pl.String, "current": pl.Int32}
    )
    return (
        several.join(named, on="did", how="left")
        .with_columns((pl.col("host") == pl.col("current")).fill_null(value=False).alias("is_current"))
        .sort(["is_current", "rev", "host"], descending=[True, True, False], nulls_last=True)
        .unique("did", keep="first", maintain_order=True)
        .select(several.columns)
    )


async def _resolve_all(dids: list[str], hosts: Sequence[str], resolve: ResolveHost) -> dict[str, int | None]:
    """Each DID's current host by its index; null when it could not be told, or is none of the hosts.

    A DID is left out when asking again may help: a manifest is for ever, an outage of the directory is not.
    """
    indexes = {host: index for index, host in enumerate(hosts)}
    current: dict[str, int | None] = {}
    waiting = iter(sorted(dids))

    async def resolve_some() -> None:
        for did in waiting:
            try:
                key = await resolve(did)
            except UpstreamError as error:
                if error.is_transient:
                    continue
                key = None
            except InvalidDataError:
                key = None
            current[did] = None if key is None else indexes.get(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_RESOLUTIONS_AT_ONCE, len(dids))):
            group.create_task(resolve_some())
    return current
