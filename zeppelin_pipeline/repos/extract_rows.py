"""One pack row to rows: a verified repository's records, or its being set aside, and its row of the dataset `repo`."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from zeppelin_pipeline.atproto.datetimes import micros_of
from zeppelin_pipeline.atproto.scan import ScannedRepository
from zeppelin_pipeline.errors import CorruptStateError, InvalidDataError
from zeppelin_pipeline.identity.documents import DidDocument, parse_document
from zeppelin_pipeline.records.pending import Source
from zeppelin_pipeline.repos import pack
from zeppelin_pipeline.repos.extract_output import ExtractOutput
from zeppelin_pipeline.repos.extract_verify import count_entries, verify_repository
from zeppelin_pipeline.repos.pack import PackRow

#: Why a repository is held although its account's key did not sign it: the key that it had then did.
FORMER_KEY: Final = "former-key"
_PROGRESS_EVERY: Final = 100


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
        document: DidDocument | None = None
        try:
            document = parse_document(row.did_document or "", row.did)
            verified = verify_repository(row.car, document, row.former_keys or (), micros_of(row.fetched_at))
        except InvalidDataError as error:
            self._set_aside(row, error.reason, error.detail, count_entries(row.car))
            return _repo_row(row, "invalid", reason=error.reason, document=document)
        repository, reason = verified.content, FORMER_KEY if verified.is_by_former_key else None
        self._output.add_records(Source(row.did, row.host, micros_of(row.fetched_at)), repository)
        self.entries += len(repository)
        return _repo_row(row, "synchronized", status="active", reason=reason, repository=repository, document=document)

    def _set_aside(self, row: PackRow, reason: str, detail: str | None, records: int) -> None:
        self.entries += records
        rejected = {"did": row.did, "host": row.host, "scope": "repository"}
        self._output.add_rejected_repository({**rejected, "reason": reason, "detail": detail, "records": records})


def _repo_row(
    row: PackRow,
    state: str,
    *,
    status: str | None = None,
    reason: str | None = None,
    repository: ScannedRepository | None = None,
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
            "commit": repository.commit_block,
            "records": len(repository),
        }
    if document is not None:
        values |= {"handle": document.handle, "pds": document.pds, "signing_key": document.signing_key}
    return values
