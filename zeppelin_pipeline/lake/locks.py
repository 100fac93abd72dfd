"""Locks on folders of the lake: one writer at a time, whatever machine it runs on. What is written is no matter here.

On a local disk the kernel keeps the lock and frees it when its process dies. On an object store a small object is the
lock: it is made, renewed and removed by conditional requests (`If-None-Match`, `If-Match`), which the store decides in
one order for all machines. No clocks are compared: who waits watches the object for a whole lease by its own clock, and
takes it over only if its holder did not renew it in that time.
"""

import fcntl
import os
import secrets
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, cast

from zeppelin_pipeline.errors import CorruptStateError
from zeppelin_pipeline.lake.writer import make_folder

#: A holder that did not renew for so long is dead; the price of a kill is that much waiting.
LEASE_SECONDS: Final = 30.0
_RENEWALS_A_LEASE: Final = 5
_REFUSALS: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_ABSENCES: Final = frozenset({"NoSuchKey", "NotFound", "404"})


@contextmanager
def hold_folder(folder: Path) -> Generator[None]:
    """Holds a local folder; made if it is not there.

    Raises:
        CorruptStateError: another process holds it.
    """
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock_now(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock_now(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise CorruptStateError(f"another process writes to {folder}") from error


class ConditionalStore(Protocol):
    """The one method of s3fs that conditional requests need."""

    def call_s3(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the S3 client."""
        ...


class Lease:
    """The lock object at one key of a bucket."""

    def __init__(self, store: ConditionalStore, bucket: str, key: str, *, seconds: float = LEASE_SECONDS) -> None:
        self._store = store
        self._place = {"Bucket": bucket, "Key": key}
        self._seconds = seconds
        self._renewal_seconds = seconds / _RENEWALS_A_LEASE
        self._tag = ""

    @contextmanager
    def held(self) -> Generator[None]:
        """Holds the lock, renewed by a thread of its own.

        Raises:
            CorruptStateError: a living process holds it; or, at the end, this one lost it to another because it could
                not renew it for a whole lease.
        """
        self._acquire()
        ended = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(ended,), name="lake-lease", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            ended.set()
            renewer.join()
        self._release()

    def _acquire(self) -> None:
        if self._put(IfNoneMatch="*"):
            return
        seen = self._current_tag()
        until = time.monotonic() + self._seconds
        while seen is not None and time.monotonic() < until:
            time.sleep(self._renewal_seconds)
            now = self._current_tag()
            if now is not None and now != seen:
                raise CorruptStateError(f"another process holds {self}")
            seen = now
        if not (self._put(IfNoneMatch="*") if seen is None else self._put(IfMatch=seen)):
            raise CorruptStateError(f"another process was faster to take {self}")

    def _renew_until(self, ended: threading.Event) -> None:
        """Renews until the end, or until it is another's. A store that is away for less than a lease loses nothing."""
        while not ended.wait(self._renewal_seconds):
            try:
                if not self._put(IfMatch=self._tag):
                    return
            except Exception:  # noqa: BLE001, S112 - a thread's entry; the release asks the store whose lock it is
                continue

    def _release(self) -> None:
        if self._call("delete_object", IfMatch=self._tag) is None:
            raise CorruptStateError(f"{self} was lost to another process while it was held")

    def _put(self, **condition: str) -> bool:
        """Writes the object on a condition; gives whether it held. Each body is new, and so is its tag."""
        answer = self._call("put_object", Body=secrets.token_bytes(16), **condition)
        if answer is None:
            return False
        self._tag = cast("str", answer["ETag"])
        return True

    def _current_tag(self) -> str | None:
        try:
            return cast("str", self._store.call_s3("head_object", **self._place)["ETag"])
        except OSError as error:
            if _code(error) in _ABSENCES:
                return None
            raise

    def _call(self, method: str, **parameters: Any) -> dict[str, Any] | None:
        """The answer; null when the condition did not hold."""
        try:
            return self._store.call_s3(method, **self._place, **parameters)
        except OSError as error:
            if _code(error) in _REFUSALS:
                return None
            raise

    def __str__(self) -> str:
        return f"the lock s3://{self._place['Bucket']}/{self._place['Key']}"


def _code(error: OSError) -> str:
    """The store's own code, which s3fs keeps in the error that it translates."""
    response = cast("dict[str, Any]", getattr(error.__cause__, "response", None) or {})
    return str(response.get("Error", {}).get("Code", ""))
