"""Extraction: one shard's fetched repositories to verified rows in the lake. What a record means is for `records`.

The marker is written last and names the files that count. Its fingerprint says from what they were made: the same pack,
extracted by the same version, is not extracted again, and of one that has grown only what was added to it.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Final

from zeppelin_pipeline.lake import layout
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.repos.extract_delta import Unchanged, keep_unchanged, parts_since
from zeppelin_pipeline.repos.extract_output import DEFAULT_LIMITS, ExtractOutput, Limits
from zeppelin_pipeline.repos.extract_rows import RowExtractor
from zeppelin_pipeline.repos.marker import ExtractResult, Marker, batch_files, read_marker, write_marker
from zeppelin_pipeline.repos.pack import PartIdentity, pack_dids, pack_rows, part_identities
from zeppelin_pipeline.repos.working_memory import working_memory

#: Raised whenever the same pack would give other rows: what was extracted before is then extracted anew.
EXTRACT_VERSION: Final = 4

_FINGERPRINT_DIGITS: Final = 12


def extract_shard(
    lake: Lake,
    shard: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ExtractResult:
    """Verifies every repository of a shard's pack and writes its records as rows, one file a dataset.

    Rows are in the order of the pack, and within a repository in the order of its tree; what was extracted before comes
    first. The same pack, grown in the same steps, gives the same files. The files of an earlier fingerprint are deleted
    once the new marker stands.

    Args:
        lake: where the pack is read and the files are written.
        shard: its key.
        progress: called with (repositories, record entries) so far, every hundred repositories and at the end.
        limits: of what is held in memory.

    Raises:
        FileNotFoundError: the shard has no pack.
    """
    started = time.monotonic()
    with lake.lock(layout.pack(shard)):
        parts = part_identities(lake, shard)
        if not parts:
            raise FileNotFoundError(f"shard {shard} has no pack in the lake")
        fingerprint = _fingerprint(parts)
        earlier = read_marker(lake, shard)
        if earlier is not None and earlier.result.fingerprint == fingerprint:
            return earlier.result
        with working_memory():
            return _extract(lake, shard, parts, earlier, progress, limits, started)


def _extract(
    lake: Lake,
    shard: str,
    parts: list[PartIdentity],
    earlier: Marker | None,
    progress: Callable[[int, int], None] | None,
    limits: Limits,
    started: float,
) -> ExtractResult:
    fingerprint = _fingerprint(parts)
    is_same_version = earlier is not None and earlier.version == EXTRACT_VERSION
    added = parts_since(earlier.parts, parts) if earlier is not None and is_same_version else None
    kept = Unchanged()
    with ExtractOutput(lake, shard, fingerprint, limits) as output:
        run = RowExtractor(output, progress)
        if earlier is not None and added is not None:
            kept = keep_unchanged(lake, earlier.paths, pack_dids(lake, added), output)
        for row in pack_rows(lake, shard, added):
            run.add(row)
            del row  # the next one may be as large
        files = output.commit()
    run.report()
    kept.rejected.update(output.rejected)  # not `+`, which forgets the reason of a repository that shows no entries
    result = ExtractResult(
        fingerprint=fingerprint,
        entries=kept.entries + run.entries,
        rows={dataset: file.rows for dataset, file in files.items()},
        input_bytes=run.input_bytes + (earlier.result.input_bytes if earlier and added is not None else 0),
        output_bytes=sum(file.bytes for file in files.values()),
        rejected=dict(sorted(kept.rejected.items())),
        states=dict(sorted((kept.states + run.states).items())),
        seconds=round(time.monotonic() - started, 3),
    )
    base = earlier.result.fingerprint if earlier and added is not None else None
    write_marker(lake, shard, Marker(result, batch_files(files, kept.rows), tuple(parts), EXTRACT_VERSION, base))
    for path in earlier.paths.values() if earlier else ():
        if path not in {file.path for file in files.values()}:
            lake.delete(path)
    return result


def _fingerprint(parts: list[PartIdentity]) -> str:
    """Names what a shard's rows are made from: its pack's parts by name and content, and the version of extraction."""
    named = [[part.path, part.content] for part in parts]
    return hashlib.sha256(json.dumps([EXTRACT_VERSION, named]).encode()).hexdigest()[:_FINGERPRINT_DIGITS]
