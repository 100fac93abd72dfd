"""Where each file of the lake lies: every path is made by a function here, and nowhere else. No reading or writing.

Paths are relative to the lake's root and use `/` on every store. Text from outside (host names) enters a path only
through `segment`, so that no host can name a file outside its own folder.
"""

import hashlib
import re
from datetime import UTC, datetime
from typing import Final

PDS_LIST: Final = "pds_list"
LISTING: Final = "listing"
SHARDS: Final = "shards"
PACKS: Final = "packs"
BATCHES: Final = "batches"
STALE: Final = "stale"
PLC: Final = "plc"
STREAMS: Final = "streams"
LOCKS: Final = "_locks"

#: The first part of a bundle's key. No host has it for a key: a bare name is a host only with its port.
TAIL: Final = "tail"

_KEPT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789.-")
# A file's name may have 255 bytes: the rest is for the number, the fingerprint and a temporary file's suffix.
_LONGEST_SEGMENT: Final = 160
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{12}")
_SHARD_KEY: Final = re.compile(r"(?P<stem>[^~]+)~(?P<number>[0-9]{5,9})", re.DOTALL)
_PART: Final = re.compile(PACKS + r"/[^/]+/part-(?P<number>[0-9]{5,9})\.parquet")
_BATCH: Final = re.compile(BATCHES + r"/[a-z][a-z_]*/(?P<segment>[^/]+)-[0-9a-f]{12}\.parquet")
_DATASET: Final = re.compile(r"[a-z][a-z_]*")


def segment(text: str) -> str:
    """Makes one path segment of text from outside: two texts never share one, and none leaves its folder.

    Every byte outside `[a-z0-9.-]` is percent-encoded, a leading dot too (`..` becomes `%2e.`). What is longer than 160
    characters is cut and ends in `~` and a hash of the whole; `~` is in no other segment.

    Raises:
        ValueError: the text is empty.
    """
    if not text:
        raise ValueError("an empty text is no path segment")
    encoded = "".join(chr(byte) if byte in _KEPT else f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass"))
    if encoded.startswith("."):
        encoded = "%2e" + encoded[1:]
    if len(encoded) > _LONGEST_SEGMENT:
        digest = hashlib.sha256(encoded.encode()).hexdigest()[:32]
        encoded = f"{encoded[: _LONGEST_SEGMENT - 33]}~{digest}"
    return encoded


def pds_list(taken_at: datetime) -> str:
    """Snapshot of the PDS list; names sort in order of time."""
    return f"{PDS_LIST}/{taken_at.astimezone(UTC):%Y%m%dT%H%M%S}.parquet"


def plc_window(window: int) -> str:
    """The operations of a complete window of the PLC directory's export."""
    return f"{PLC}/{window:06d}.parquet"


def plc_pages(window: int) -> str:
    """Folder of a window's pages, as long as it is open."""
    return f"{PLC}/{window:06d}"


def plc_page(window: int, page: int) -> str:
    """One page of an open window; pages are numbered from 0 without gaps."""
    return f"{plc_pages(window)}/{page_name(page)}"


def stream_segments(relay: str) -> str:
    """Folder of a relay's events that wait to be applied."""
    return f"{STREAMS}/{segment(relay)}"


def stream_segment(relay: str, epoch: int, first_seq: int) -> str:
    """Events from a number on, as the consumer of an epoch received them."""
    return f"{stream_segments(relay)}/{first_seq:020d}-{epoch:010d}.parquet"


def listing_host(host: str) -> str:
    """Folder of all listing passes over a host."""
    return f"{LISTING}/{segment(host)}"


def listing_pass(host: str, pass_number: int) -> str:
    """Folder of one pass over a host's `listRepos`."""
    return f"{listing_host(host)}/{pass_number:06d}"


def listing_page(host: str, pass_number: int, page: int) -> str:
    """One page of a pass; pages are numbered from 0 without gaps."""
    return f"{listing_pass(host, pass_number)}/{page_name(page)}"


def page_name(page: int) -> str:
    """A page's name within its pass."""
    return f"page-{page:06d}.parquet"


def host_shard(host: str, number: int) -> str:
    """Key of a shard of one large host."""
    return f"{host}~{number:05d}"


def tail_shard(number: int) -> str:
    """Key of a bundle of small hosts."""
    return host_shard(TAIL, number)


def shard_stem(shard: str) -> str:
    """What a shard's key says about its hosts: the one host's key, or `tail`.

    Raises:
        ValueError: not a shard's key.
    """
    return _parse_shard(shard)[0]


def shard_number(shard: str) -> int:
    """The number in a shard's key; raises ValueError as `shard_stem` does."""
    return int(_parse_shard(shard)[1])


def manifest(shard: str) -> str:
    """The shard's manifest: which repositories are fetched, and from where."""
    return f"{SHARDS}/{shard_segment(shard)}.parquet"


def stale(shard: str) -> str:
    """The repositories of a shard that are due to be fetched again."""
    return f"{STALE}/{shard_segment(shard)}.parquet"


def pack(shard: str) -> str:
    """Folder of a shard's fetched repositories."""
    return segment_pack(shard_segment(shard))


def pack_part(shard: str, part: int) -> str:
    """One part of a pack; for a DID the part with the higher number wins."""
    return f"{pack(shard)}/part-{part:05d}.parquet"


def part_number(path: str) -> int:
    """The number in a pack part's path; raises ValueError for any other path."""
    match = _PART.fullmatch(path)
    if match is None:
        raise ValueError(f"not a part of a pack: {path!r}")
    return int(match["number"])


def batch(dataset: str, shard: str, fingerprint: str) -> str:
    """One dataset of a shard's records; the fingerprint is 12 hexadecimal digits that name its content.

    Raises:
        ValueError: the dataset, shard or fingerprint is none.
    """
    if not _DATASET.fullmatch(dataset) or not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError(f"not a batch: {dataset!r}, {fingerprint!r}")
    return f"{BATCHES}/{dataset}/{shard_segment(shard)}-{fingerprint}.parquet"


def batch_segment(path: str) -> str | None:
    """The shard, as a path segment, of a batch's file; null for a marker and for what is none of ours."""
    match = _BATCH.fullmatch(path)
    return match["segment"] if match else None


def segment_pack(segment: str) -> str:
    """The folder of a shard's pack by the shard's path segment."""
    return f"{PACKS}/{segment}"


def segment_ledger(segment: str) -> str:
    """The list of a shard's batches by the shard's path segment."""
    return f"{BATCHES}/_shards/{segment}.parquet"


def batch_ledger(shard: str) -> str:
    """The list of a shard's batches, written last: only files that it names count."""
    return segment_ledger(shard_segment(shard))


def lock(prefix: str) -> str:
    """The object that locks a folder on an object store."""
    return f"{LOCKS}/{prefix}"


def shard_segment(shard: str) -> str:
    """A shard's key as a path segment; raises ValueError when it is no shard's key."""
    stem, number = _parse_shard(shard)
    return f"{segment(stem)}~{number}"


def _parse_shard(shard: str) -> tuple[str, str]:
    match = _SHARD_KEY.fullmatch(shard)
    if match is None:
        raise ValueError(f"not a shard's key: {shard!r}")
    return match["stem"], match["number"]
