"""Who is a labeler, where its stream is and by which key it signs: accounts with the record and the DID document."""

from dataclasses import dataclass
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.firehose.cursors import StreamName
from zeppelin_pipeline.identity.documents import DidDocument
from zeppelin_pipeline.warehouse.queries import load_queries

ENDPOINT: Final = "com.atproto.label.subscribeLabels"


@dataclass(frozen=True, slots=True)
class Labeler:
    """A labeler as its document names it.

    Attributes:
        did: the account.
        url: of its service.
        key: that signs its labels, multibase.
    """

    did: str
    url: str
    key: str

    @property
    def stream(self) -> StreamName:
        """Its stream's name: one that moves begins anew, and nobody can stand in another's way."""
        return StreamName(f"{self.did}@{self.url}", ENDPOINT)

    @property
    def public_key(self) -> PublicKey:
        """The key; a document's keys were read before they were stored."""
        return PublicKey.from_multibase(self.key)


def labeler_of(document: DidDocument) -> Labeler:
    """The labeler that a document names.

    Raises:
        InvalidDataError: `labeler-document`, it names no service or no key.
    """
    if document.labeler is None or document.label_key is None:
        raise InvalidDataError("labeler-document", document.did)
    return Labeler(document.did, document.labeler, document.label_key)


def find_labelers(connection: Connection[TupleRow], limit: int) -> tuple[dict[str, Labeler], list[str]]:
    """The labelers by DID, and accounts that say by a record that they are and whose document is silent, or unknown."""
    found: dict[str, Labeler] = {}
    silent: list[str] = []
    for did, url, key in connection.execute(load_queries()["find_labelers"], {"limit": limit}):
        if url is None or key is None:
            silent.append(did)
        else:
            found[did] = Labeler(did, url, key)
    return found, silent
