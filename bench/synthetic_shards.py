"""Shards of synthetic batches in the mix of a real network, made column by column; nothing is measured here.

Of 100 records 62 are likes, 17 follows, 12 posts, 7 reposts and 2 blocks, beside a profile for each repository.
Subjects are skewed: a few accounts get most of them. A like in fifty is in a form that only its bytes give back.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from zeppelin_pipeline.lake.schemas import DICTIONARY, RECORD_DATASETS
from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.keys import tid_of_key

MIX: Final = {"like": 62, "follow": 17, "post": 12, "repost": 7, "block": 2}
BATCH_ROWS: Final = 65_536
#: Mean bytes of a post's record, and of a like's.
POST_BYTES, LIKE_BYTES = 330, 230
#: No valid like is shorter.
SHORTEST_BYTES: Final = 90
MAP_HEAD: Final = b"\xa5"
RAW_IN_ONE_OF: Final = 50
POST: Final = "app.bsky.feed.post"

_START_MICROS: Final = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1e6)
_YEAR_MICROS: Final = 365 * 86_400 * 1_000_000
_FETCHED_AT: Final = datetime(2026, 11, 1, tzinfo=UTC)

Ints = npt.NDArray[np.int64]


def synthetic_shard(number: int, *, records: int, repositories: int, accounts: int) -> ShardBatches:
    """One shard; shards of other numbers have other repositories, and speak of the same accounts.

    Args:
        number: of the shard.
        records: beside the profiles.
        repositories: whose records they are, about the same number each.
        accounts: that the records speak of.
    """
    maker = _Maker(np.random.default_rng(number), number * repositories, repositories, accounts)
    rows = {dataset: records * share // 100 for dataset, share in MIX.items()} | {"profile": repositories}
    tables = {dataset: maker.dataset(dataset, count) for dataset, count in rows.items()}
    tables["repo"] = maker.repositories(sum(rows.values()) // repositories)

    def read(dataset: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        table = tables.get(dataset)
        if table is not None:
            yield from (table.select(columns) if columns else table).to_batches(max_chunksize=BATCH_ROWS)

    return ShardBatches(f"synthetic~{number:05d}", "synthetic", sum(rows.values()), {}, 1, read)


class _Maker:
    def __init__(self, dice: np.random.Generator, first_owner: int, repositories: int, accounts: int) -> None:
        self._dice = dice
        self._repositories = repositories
        self._accounts = accounts
        self._owners = pa.array([_did(first_owner + number) for number in range(repositories)])
        self._dids = pa.array([_did(number) for number in range(accounts)])

    def dataset(self, dataset: str, count: int) -> pa.Table:
        """Rows in order of their owners, as extraction writes them."""
        owners = np.sort(self._dice.integers(0, self._repositories, count))
        if dataset == "profile":
            owners = np.arange(count)
        created = self._times(count)
        columns: dict[str, pa.Array] = {
            "did": pa.DictionaryArray.from_arrays(pa.array(owners, pa.int32()), self._owners),
            "rkey": self._tids(created) if dataset != "profile" else pa.array(["self"] * count),
            "created_at": pa.array(created).cast(pa.timestamp("us", tz="UTC")),
            "raw": self._blocks(count, LIKE_BYTES, every=RAW_IN_ONE_OF),
        }
        columns |= self._of_kind(dataset, count)
        return _table(RECORD_DATASETS[dataset], columns, count)

    def repositories(self, records: int) -> pa.Table:
        """The repositories' own rows."""
        count = self._repositories
        columns = {
            "did": self._owners,
            "host": pa.array(["host.example"] * count).cast(DICTIONARY),
            "state": pa.array(["synchronized"] * count),
            "status": pa.array(["active"] * count),
            "rev": self._tids(self._times(count)),
            "data_cid": self._cids(count),
            "commit": self._blocks(count, 200, every=1),
            "records": pa.array([records] * count),
            "fetched_at": pa.array([_FETCHED_AT] * count),
            "handle": pa.array([f"account-{number}.example" for number in range(count)]),
            "pds": pa.array(["https://host.example"] * count),
            "signing_key": pa.array(["zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"] * count),
        }
        return _table(RECORD_DATASETS["repo"], columns, count)

    def _of_kind(self, dataset: str, count: int) -> Mapping[str, pa.Array]:
        match dataset:
            case "like" | "repost":
                return self._reference("subject", count) | {"subject_cid": self._cids(count)}
            case "follow" | "block":
                return {"subject_did": self._popular(count)}
            case "post":
                is_reply = self._dice.random(count) < 0.5
                columns: dict[str, pa.Array] = {}
                for end in ("reply_root", "reply_parent"):
                    columns |= self._reference(end, count, is_there=is_reply)
                columns |= self._reference("quote", count, is_there=self._dice.random(count) < 0.05)
                embeds = self._dice.choice(np.array([0, 1, 2, 4], np.int16), count)
                return columns | {"embed": pa.array(embeds), "raw": self._blocks(count, POST_BYTES, every=1)}
            case _:
                return {"raw": self._blocks(count, POST_BYTES, every=1)}

    def _reference(self, name: str, count: int, is_there: npt.NDArray[np.bool_] | None = None) -> dict[str, pa.Array]:
        is_null = None if is_there is None else ~is_there
        indices = pa.array(np.zeros(count, np.int32), mask=is_null)
        return {
            f"{name}_did": self._popular(count, is_null),
            f"{name}_collection": pa.DictionaryArray.from_arrays(indices, pa.array([POST])),
            f"{name}_rkey": self._tids(self._times(count), is_null),
        }

    def _popular(self, count: int, is_null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
        numbers = (self._accounts * self._dice.random(count) ** 3).astype(np.int64)
        return self._dids.take(pa.array(numbers, mask=is_null))

    def _times(self, count: int) -> Ints:
        millis = self._dice.integers(0, _YEAR_MICROS // 1000, count)
        return _START_MICROS + millis * 1000

    def _tids(self, micros: Ints, is_null: npt.NDArray[np.bool_] | None = None) -> pa.Array:
        keys = (micros + self._dice.integers(0, 1000, len(micros))) << 10
        nulls = np.zeros(len(micros), np.bool_) if is_null is None else is_null
        tids = [None if null else tid_of_key(key) for key, null in zip(keys.tolist(), nulls.tolist(), strict=True)]
        return pa.array(tids, pa.string())

    def _cids(self, count: int) -> pa.Array:
        cids = self._dice.integers(0, 256, (count, 36), dtype=np.uint8)
        cids[:, :4] = np.frombuffer(bytes.fromhex("01711220"), np.uint8)
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(36), count, [None, pa.py_buffer(cids.tobytes())])

    def _blocks(self, count: int, mean_bytes: int, *, every: int) -> pa.Array:
        """Blocks of log-normal length in each of `every` rows, null in the others; they begin as maps do."""
        lengths = np.maximum(self._dice.lognormal(0, 0.5, count) * mean_bytes / 1.13, SHORTEST_BYTES).astype(np.int64)
        noise = self._dice.bytes(int(lengths.max(initial=0)) + count)
        is_there = np.arange(count) % every == 0
        blocks: list[bytes | None] = [
            MAP_HEAD + noise[start : start + length - len(MAP_HEAD)] if there else None
            for start, (length, there) in enumerate(zip(lengths.tolist(), is_there.tolist(), strict=True))
        ]
        return pa.array(blocks, pa.binary())


def _did(number: int) -> str:
    return f"did:plc:{number * 0x9E3779B97F4A7C15 % (1 << 64):024x}"


def _table(schema: pa.Schema, columns: Mapping[str, Any], count: int) -> pa.Table:
    """The columns in the schema's order and types; those that are not given are null, or empty where none may be."""
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else _filler(field, count) for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _filler(field: pa.Field, count: int) -> pa.Array:
    if field.nullable:
        return pa.nulls(count, field.type)
    value = bytes(36) if pa.types.is_fixed_size_binary(field.type) else ""
    return pa.array([value] * count, field.type)
