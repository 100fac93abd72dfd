"""The manifests of shards: which accounts each has. How accounts come into them is `plan`'s business."""

import re
from dataclasses import dataclass
from typing import Final

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.hosts.host import Host
from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.schemas import MANIFEST
from zeppelin_pipeline.lake.store import Lake

_SHARD_FILE: Final = re.compile(r".*/(?P<segment>[^/]+)~(?P<number>[0-9]+)\.parquet")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One account of a shard, as in the schema `MANIFEST`."""

    did: str
    host: Host
    rev: str | None
    active: bool
    status: str | None


def read_manifest(lake: Lake, shard: str) -> list[ManifestRow]:
    """The accounts of a shard; FileNotFoundError when there is no such shard."""
    with lake.open_parquet(layout.manifest(shard)) as file:
        table = file.read(MANIFEST.names).select(MANIFEST.names)
    return [
        ManifestRow(did, Host(host, url), rev, active, status)
        for did, host, url, rev, active, status in zip(
            *(column.to_pylist() for column in table.itercolumns()), strict=True
        )
    ]


def list_shards(lake: Lake) -> list[str]:
    """The keys of all shards, sorted."""
    return sorted(
        layout.host_shard(lake.read_metadata(path)["host"], number)
        for path in lake.list(layout.SHARDS)
        for _, number in [file_parts(path)]
    )


def file_parts(path: str) -> tuple[str, int]:
    """The segment and the number in a manifest's path."""
    match = _SHARD_FILE.fullmatch(path)
    if match is None:
        raise CorruptStateError(f"not a manifest: {path}")
    return match["segment"], int(match["number"])
