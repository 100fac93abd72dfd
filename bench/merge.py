"""What the second way into the warehouse costs, in two figures: `python -m bench.merge`.

A shard that is loaded again after one record in a hundred has changed, against its first load: before the indexes stand
and after. And live commits a second, each of one operation in the mix of a real network, applied in batches with all
indexes in place and counts kept.
"""

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Connection
from psycopg.rows import TupleRow

from bench.synthetic_shards import MIX, synthetic_shard
from bench.temporary_warehouse import empty_warehouse, temporary_server
from zeppelin_pipeline.atproto import dag_cbor
from zeppelin_pipeline.atproto.cid import cid_of, cid_to_text
from zeppelin_pipeline.atproto.mst import root_of
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.atproto.tid import int_to_tid
from zeppelin_pipeline.records.commits import COMMITS
from zeppelin_pipeline.records.live import apply_commits
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres
from zeppelin_pipeline.warehouse.batch_keys import BatchKeys
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.indexes import build_indexes
from zeppelin_pipeline.warehouse.load import load_shard

CHANGED_IN = 100
NOW_MICROS = 1_795_000_000_000_000
COLLECTIONS = {
    "like": "app.bsky.feed.like",
    "follow": "app.bsky.graph.follow",
    "post": "app.bsky.feed.post",
    "repost": "app.bsky.feed.repost",
    "block": "app.bsky.graph.block",
}


def main() -> None:
    options = _parser().parse_args()
    shape = {"records": options.rows, "repositories": options.repositories, "accounts": options.accounts}
    shard = synthetic_shard(0, **shape)
    with temporary_server() as server:
        _bench_merges(server, shard)
        _bench_operations(server, shard, options)


def _bench_merges(server: EmbeddedPostgres, shard: ShardBatches) -> None:
    with empty_warehouse(server) as connection:
        first = load_shard(connection, shard)
        print(f"first load, no indexes           {shard.entries / first.seconds:>10,.0f} rows/s")
        bare = _merge(connection, shard, 1)
        build_indexes(connection)
        indexed = _merge(connection, shard, 2)
        same = _merge(connection, shard, 2, rev=3)
    renewals = {"1 % changed, no indexes": bare, "1 % changed, indexed": indexed, "unchanged, indexed": same}
    for name, seconds in renewals.items():
        rate, ratio = shard.entries / seconds, first.seconds / seconds
        print(f"{name:<32} {rate:>10,.0f} rows/s  {ratio:.2f} of the first load's rate")


def _merge(connection: Connection[TupleRow], shard: ShardBatches, version: int, rev: int | None = None) -> float:
    result = load_shard(connection, _changed(shard, version, rev or version))
    print(f"  {result.changes}")
    return result.seconds


def _changed(shard: ShardBatches, version: int, rev: int) -> ShardBatches:
    """The shard with other bytes in one record of a hundred, and with a later rev for every repository."""

    def change(dataset: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        names = batch.schema.names
        if dataset == "repo" and "rev" in names:
            return _with(batch, "rev", pa.array([int_to_tid((NOW_MICROS + rev) << 10)] * batch.num_rows))
        if "raw" in names:
            is_changed = pa.array(np.arange(batch.num_rows) % CHANGED_IN == version)
            other = pa.scalar(f"version {version}".encode())
            return _with(batch, "raw", pc.if_else(is_changed, other, batch["raw"]))
        return batch

    def read(dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        return (change(dataset, batch) for batch in shard.read(dataset, columns))

    return replace(shard, fingerprint=f"version {version} {rev}", read=read)


def _with(batch: pa.RecordBatch, name: str, column: pa.Array) -> pa.RecordBatch:
    place = batch.schema.get_field_index(name)
    columns = [column if number == place else old for number, old in enumerate(batch.columns)]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _bench_operations(server: EmbeddedPostgres, shard: ShardBatches, options: argparse.Namespace) -> None:
    stream = _Stream(random.Random(1), options.accounts)
    with empty_warehouse(server) as connection:
        load_shard(connection, shard)
        build_indexes(connection)
        keys = BatchKeys(read_key_space(connection))
        batches = [stream.batch(options.batch) for _ in range(options.batches + 2)]
        for batch in batches[:2]:  # statements are prepared, dictionaries begin to be filled
            apply_commits(connection, keys, batch)
        wall, cpu = time.perf_counter(), time.process_time()
        taken = sum(apply_commits(connection, keys, batch).commits for batch in batches[2:])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if taken != options.batch * options.batches:
        raise AssertionError(f"{taken} commits were taken")
    rate, micros, own_micros = taken / wall, wall / taken * 1e6, cpu / taken * 1e6
    print(f"live commits, batches of {options.batch:<8,}{rate:>10,.0f} commits/s", end="")
    print(f"  {micros:.0f} µs each, {own_micros:.0f} µs of it computed in this process")


@dataclass(slots=True)
class _Account:
    did: str
    since: int | None = None
    data: bytes = field(default_factory=lambda: root_of(()))
    records: dict[bytes, bytes] = field(default_factory=dict)


class _Stream:
    """Commits of one operation each: 92 of 100 make a record, 8 delete one."""

    def __init__(self, dice: random.Random, accounts: int) -> None:
        self._dice = dice
        self._accounts = [_Account(f"did:plc:live{number:020d}") for number in range(accounts)]
        self._clock = NOW_MICROS

    def batch(self, size: int) -> pa.RecordBatch:
        accounts = [self._accounts[int(len(self._accounts) * self._dice.random() ** 3)] for _ in range(size)]
        return pa.RecordBatch.from_pylist([self._commit(account) for account in accounts], schema=COMMITS)

    def _commit(self, account: _Account) -> dict[str, object]:
        self._clock += 1000
        operation: dict[str, bytes | None]
        if account.records and self._dice.random() < 0.08:
            key, old_cid = account.records.popitem()
            operation = {"key": key, "prev": old_cid}
        else:
            key, block = self._record()
            account.records[key] = cid_of(block)
            operation = {"key": key, "cid": account.records[key], "block": block}
        rev, data = self._clock << 10, cid_of(str(self._clock).encode())
        commit: dict[str, object] = {
            "did": account.did,
            "rev": rev,
            "since": account.since,
            "prev_data": account.data,
            "data": data,
            "commit": bytes(200),
            "is_sync": False,
            "seen_micros": self._clock,
            "operations": [operation],
        }
        account.since, account.data = rev, data
        return commit

    def _record(self) -> tuple[bytes, bytes]:
        kind = self._dice.choices(list(MIX), list(MIX.values()))[0]
        collection = COLLECTIONS[kind]
        other = self._accounts[int(len(self._accounts) * self._dice.random() ** 3)].did
        uri = f"at://{other}/app.bsky.feed.post/{int_to_tid((NOW_MICROS - self._dice.randrange(50)) << 10)}"
        value: dict[str, object] = {"$type": collection, "createdAt": format_datetime(self._clock)}
        match kind:
            case "post":
                value["text"] = "a post of a usual length, as most are " * 3
            case "follow" | "block":
                value["subject"] = other
            case _:
                value["subject"] = {"uri": uri, "cid": cid_to_text(cid_of(uri.encode()))}
        return f"{collection}/{int_to_tid(self._clock << 10)}".encode(), dag_cbor.encode(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--repositories", type=int, default=2_000)
    parser.add_argument("--accounts", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--batches", type=int, default=20)
    return parser


if __name__ == "__main__":
    main()
