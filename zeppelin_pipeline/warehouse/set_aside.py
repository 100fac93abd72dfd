"""Which repositories a load sets aside whole: those that extraction refused, those that a collision of keys spoiled."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from zeppelin_pipeline.warehouse.batches import ShardBatches
from zeppelin_pipeline.warehouse.dictionaries import ACTOR, Collision, named_texts
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.rows import needing, only_of, storable, without
from zeppelin_pipeline.warehouse.tables import TABLES

KEY_COLLISION: Final = "key-collision"

#: Repositories set aside whole, as the temporary table `set_aside` takes them.
SET_ASIDE: Final = pa.schema(
    [
        ("actor_id", pa.int64()),
        ("did", pa.string()),
        ("host", pa.string()),
        ("scope", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("records", pa.int64()),
        ("fetched_at", pa.timestamp("us", tz="UTC")),
    ]
)


def spoiled_repositories(batches: ShardBatches, collisions: list[Collision]) -> dict[str, str]:
    """The repositories that need a text whose key another holds, each with what collided: they are set aside whole."""
    if not collisions:
        return {}
    told = {(one.dictionary, one.text): str(one) for one in collisions}
    spoiled: dict[str, str] = {}
    for dataset, named in {"repo": {"did": ACTOR}, **{dataset: named_texts(dataset) for dataset in TABLES}}.items():
        for batch in batches.read(dataset, list(named)):
            for column, dictionary in named.items():
                texts = pa.array([text for table, text in told if table == dictionary], pa.string())
                for did, text in zip(*needing(batch, column, texts), strict=True):
                    spoiled.setdefault(did, told[dictionary, text])
    return spoiled


def set_aside_rows(batches: ShardBatches, keys: KeySpace, spoiled: Mapping[str, str]) -> pa.RecordBatch:
    """A row for each repository that is set aside, by SET_ASIDE.

    Args:
        batches: of the shard.
        keys: of the warehouse.
        spoiled: what collided, by the DID of the repository that needs it.
    """
    dids = pa.array(list(spoiled), pa.string())
    rows: list[dict[str, object]] = []
    entries: dict[str, int] = {}
    for batch in batches.read("rejected", None):
        whole = batch.filter(pc.equal(batch["scope"], "repository"))
        rows += without(whole, dids).to_pylist()
        entries |= {row["did"]: row["records"] for row in only_of(whole, dids).to_pylist()}
    for batch in batches.read("repo", None):
        for row in only_of(batch, dids).to_pylist():
            did = row["did"]
            collided = {"scope": "key", "reason": KEY_COLLISION, "detail": spoiled[did]}
            rows.append(row | collided | {"records": entries.get(did, row["records"])})
    keyed = [row | {"actor_id": keys.actor_id(str(row["did"]))} for row in rows]
    return storable(pa.RecordBatch.from_pylist(keyed, SET_ASIDE))


def rejected_by_reason(batches: ShardBatches, spoiled: Mapping[str, str], aside: pa.RecordBatch) -> dict[str, int]:
    """Entries set aside by reason, as extraction counted them; those of spoiled repositories are KEY_COLLISION."""
    counts = Counter(batches.rejected)
    if spoiled:
        dids = pa.array(list(spoiled), pa.string())
        for batch in batches.read("rejected", None):
            for row in only_of(batch, dids).to_pylist():
                counts[row["reason"]] -= row["records"]
        collided = aside.filter(pc.equal(aside["scope"], "key"))
        counts[KEY_COLLISION] = int(pc.sum(collided["records"]).as_py() or 0)
    return {reason: count for reason, count in counts.items() if count}
