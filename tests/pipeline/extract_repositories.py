"""Hand-made repositories and pack rows for the tests of extraction. No tests here."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from zeppelin_pipeline.atproto.car import write_car
from zeppelin_pipeline.atproto.cid import cid_of
from zeppelin_pipeline.atproto.commit import encode_commit, sign_commit
from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.dag_cbor import encode
from zeppelin_pipeline.atproto.mst import build
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import PACK
from zeppelin_pipeline.lake.store import Lake

FETCHED_AT = datetime(2025, 6, 15, 12, tzinfo=UTC)
REV = "3lrlrlrlrlr22"  # of June 2025
KEY = PrivateKey.from_bytes("k256", bytes(31) + b"\x01")
HOST = "pds.test"
SHARD = "pds.test~00000"


@dataclass
class Account:
    """An account whose repository is made from blocks by record path."""

    did: str
    records: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    rev: str = REV
    key: PrivateKey = KEY

    def blocks(self) -> tuple[bytes, dict[bytes, bytes]]:
        """The commit's CID, and every block by CID, the commit first."""
        cids = {path.encode(): cid_of(block) for path, block in self.records.items()}
        tree = build(sorted(cids.items()))
        commit = encode_commit(sign_commit(self.did, self.rev, tree.root, self.key))
        records = {cid_of(block): block for block in self.records.values()}
        return cid_of(commit), {cid_of(commit): commit, **tree.blocks, **records}

    def car(self, without: Iterable[bytes] = ()) -> bytes:
        root, blocks = self.blocks()
        missing = set(without)
        return write_car(root, [(cid, block) for cid, block in blocks.items() if cid not in missing])

    def document(self, key: PrivateKey | None = KEY, pds: str = "https://pds.test") -> str:
        methods = [] if key is None else [
            {
                "id": f"{self.did}#atproto",
                "type": "Multikey",
                "controller": self.did,
                "publicKeyMultibase": key.public_key.to_multibase(),
            }
        ]  # fmt: skip
        return json.dumps({
            "id": self.did,
            "alsoKnownAs": ["at://alice.test"],
            "verificationMethod": methods,
            "service": [
                {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}
            ],
        })  # fmt: skip

    def row(self, **changes: Any) -> dict[str, Any]:
        """A pack row as the fetch writes it."""
        return {
            "did": self.did,
            "host": HOST,
            "rev": self.rev,
            "state": "fetched",
            "reason": None,
            "detail": None,
            "fetched_at": FETCHED_AT,
            "did_document": self.document(),
            "former_keys": None,
            "car": self.car(),
        } | changes


def records(*values: dict[str, Any]) -> dict[str, bytes]:
    """Record paths to blocks; profiles at `self`, the rest at keys that rise."""
    return {
        f"{value['$type']}/{'self' if value['$type'].endswith('.profile') else f'3kabcdefgh{index:03d}'}": encode(value)
        for index, value in enumerate(values)
    }


def write_pack(lake: Lake, *rows: dict[str, Any], part: int = 0) -> None:
    lake.write_table(layout.pack_part(SHARD, part), pa.Table.from_pylist(list(rows), schema=PACK))


def read_dataset(lake: Lake, dataset: str) -> list[dict[str, Any]]:
    """A dataset's rows, by the files that the shard's marker names."""
    with lake.open_parquet(layout.batch_ledger(SHARD)) as marker:
        paths = [row["path"] for row in marker.read().to_pylist() if row["dataset"] == dataset]
    rows: list[dict[str, Any]] = []
    for path in paths:
        with lake.open_parquet(path) as file:
            rows += file.read().to_pylist()
    return rows
