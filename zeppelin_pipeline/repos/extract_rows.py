"""One pack row to rows: a verified repository's records, or its being set aside, and its row of the dataset `repo`."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from zeppelin_pipeline.atproto.car import CarData
from zeppelin_pipeline.atproto.repository import Repository
from zeppelin_pipeline.errors import CorruptStateError, InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument, parse_document
from zeppelin_pipeline.records.pending import Source
from zeppelin_pipeline.repos import pack
from zeppelin_pipeline.repos.extract_output import ExtractOutput
from zeppelin_pipeline.repos.extract_verify import count_entries, verify_repository
from zeppelin_pipeline.repos.pack import PackRow

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PROGRESS_EVERY: Final = 100
#: Entries that are cut out of a repository at once, so that a huge one is not in memory twice.
_ENTRIES_AT_ONCE: Final = 4096
_COPIED_CAR_BYTES: Final = 32 << 20


class RowExtractor:
    """Sends each pack row where it belongs, and counts.

    Attributes:
        entries: record entries of all repositories so far, as far as they could be enumerated.
        input_bytes: of their CAR files.
        states: repositories by state.
    """

    def __init__(self, output: ExtractOutput, progress: Callable[[int, int], None] | None = None) -> None:
        self.entries = 0
        self.input_bytes = 0
        self.states: Counter[str] = Counter()
        self._output = output
        self._progress = progress

    def add(self, row: PackRow) -> None:
        """Takes one repository's outcome of the fetch.

        Raises:
            CorruptStateError: the pack contradicts itself.
        """
        match row.state:
            case pack.FETCHED:
                repo = self._add_fetched(row)
            case pack.ABSENT:
                repo = _repo_row(row, "absent", status=row.reason, reason=row.reason)
            case _:
                repo = _repo_row(row, "failed", reason=row.reason)
                if row.car is not None:
                    self._set_aside(row, row.reason or "failed", row.detail, count_entries(row.car))
        self._output.add_repo(repo)
        self.states[repo["state"]] += 1
        self.input_bytes += len(row.car or b"")
        if self.states.total() % _PROGRESS_EVERY == 0:
            self.report()

    def report(self) -> None:
        """Tells the progress now."""
        if self._progress:
            self._progress(self.states.total(), self.entries)

    def _add_fetched(self, row: PackRow) -> dict[str, Any]:
        if row.car is None:
            raise CorruptStateError(f"the pack has {row.did} as fetched, but without its repository")
        car = _to_bytes(row.car)
        document: DidDocument | None = None
        try:
            document = parse_document(row.did_document or "", row.did)
            repository = verify_repository(car, document, micros_of(row.fetched_at))
        except InvalidDataError as error:
            self._set_aside(row, error.reason, error.detail, count_entries(car))
            return _repo_row(row, "invalid", reason=error.reason, document=document)
        _add_records(repository, row, self._output)
        self.entries += len(repository.entries)
        return _repo_row(row, "synchronized", status="active", repository=repository, document=document)

    def _set_aside(self, row: PackRow, reason: str, detail: str | None, records: int) -> None:
        self.entries += records
        rejected = {"did": row.did, "host": row.host, "scope": "repository"}
        self._output.add_rejected_repository({**rejected, "reason": reason, "detail": detail, "records": records})


def _to_bytes(car: bytes | memoryview) -> bytes | memoryview:
    """The CAR as bytes, which are cut into blocks twice as fast as a view, unless it is too large to have twice."""
    return bytes(car) if len(car) <= _COPIED_CAR_BYTES else car


def _repo_row(
    row: PackRow,
    state: str,
    *,
    status: str | None = None,
    reason: str | None = None,
    repository: Repository | None = None,
    document: DidDocument | None = None,
) -> dict[str, Any]:
    """A row of `repo`; the commit's columns are there only when it was verified."""
    values: dict[str, Any] = {
        "did": row.did,
        "host": row.host,
        "state": state,
        "status": status,
        "reason": reason,
        "records": 0,
        "fetched_at": row.fetched_at,
    }
    if repository is not None:
        values |= {
            "rev": repository.commit.rev,
            "commit_cid": repository.commit_cid,
            "data_cid": repository.commit.data,
            "commit": repository.get_block(repository.commit_cid),
            "records": len(repository.entries),
        }
    if document is not None:
        values |= {"handle": document.handle, "pds": document.pds, "signing_key": document.signing_key}
    return values


def _add_records(repository: Repository, row: PackRow, output: ExtractOutput) -> None:
    """Hands on a repository's records by collection; in the tree's order each collection's entries are neighbours."""
    source = Source(row.did, row.host, micros_of(row.fetched_at))
    entries, places, data = repository.entries, repository.blocks, repository.data
    start = 0
    while start < len(entries):
        key = entries[start][0]
        prefix_bytes = key.index(b"/") + 1
        # "0" follows "/": the first key of another collection is not below it.
        end = bisect_left(entries, (key[: prefix_bytes - 1] + b"0",), start)
        keys, cids = zip(*entries[start : min(end, start + _ENTRIES_AT_ONCE)], strict=True)
        rkeys = [key[prefix_bytes:] for key in keys]
        blocks = _cut(data, map(places.__getitem__, cids))
        output.add_records(source, key[: prefix_bytes - 1].decode(), rkeys, cids, blocks)
        start += len(keys)


def _cut(data: CarData, places: Iterable[tuple[int, int]]) -> list[bytes]:
    if isinstance(data, bytes):
        return [data[first:last] for first, last in places]
    return [bytes(data[first:last]) for first, last in places]


def micros_of(moment: datetime) -> int:
    """Microseconds since the epoch of a time with a zone, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
