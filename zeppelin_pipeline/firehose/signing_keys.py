"""The signing keys of accounts, as the warehouse knows them, remembered within bounds."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.crypto import PublicKey
from zeppelin_pipeline.errors import InvalidDataError
from zeppelin_pipeline.warehouse.connection import read_key_space
from zeppelin_pipeline.warehouse.queries import load_queries

#: A key takes about 500 bytes with its account.
DEFAULT_REMEMBERED: Final = 200_000
#: Keys also change without an event that says so: all are forgotten this often, and read again in batches.
_FORGET_ALL_SECONDS: Final = 600.0


class SigningKeys:
    """A memory of keys; forgotten all at once when it is full or old."""

    def __init__(
        self,
        connection: Connection[TupleRow],
        remembered: int = DEFAULT_REMEMBERED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._space = read_key_space(connection)
        self._most = remembered
        self._clock = clock
        self._known: dict[str, PublicKey] = {}
        self._since = clock()

    def of(self, dids: Iterable[str]) -> dict[str, PublicKey]:
        """The keys of accounts; those whose key the warehouse does not know are left out."""
        if len(self._known) > self._most or self._clock() - self._since > _FORGET_ALL_SECONDS:
            self._known.clear()
            self._since = self._clock()
        wanted = set(dids)
        missing = wanted - self._known.keys()
        if missing:
            self._read(missing)
        known = self._known
        return {did: known[did] for did in wanted if did in known}

    def forget(self, dids: Iterable[str]) -> None:
        """Reads the keys of these accounts again when they are next asked for."""
        for did in dids:
            self._known.pop(did, None)

    def _read(self, dids: set[str]) -> None:
        by_actor = {self._space.actor_id(did): did for did in dids}
        rows = self._connection.execute(load_queries()["signing_keys"], {"actors": list(by_actor)})
        for actor, text in rows:
            key = _parse(text)
            if key is not None:
                self._known[by_actor[actor]] = key


def _parse(text: str) -> PublicKey | None:
    try:
        return PublicKey.from_multibase(text)
    except InvalidDataError:
        return None
