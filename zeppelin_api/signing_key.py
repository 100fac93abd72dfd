"""The service's own key, whose public half its DID document publishes."""

import contextlib
import os
import secrets
from pathlib import Path

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.errors import ConfigurationError, InvalidDataError


def load_signing_key(path: Path) -> PrivateKey:
    """The k256 key in a file of 64 hexadecimal digits; made, for its owner's eyes only, when the file is missing.

    Raises:
        ConfigurationError: the file holds no such key.
    """
    if not path.exists():
        _make(path)
    try:
        return PrivateKey.from_bytes("k256", bytes.fromhex(path.read_text(encoding="ascii")))
    except (ValueError, InvalidDataError) as error:
        raise ConfigurationError(f"{path} does not hold a k256 key of 64 hexadecimal digits") from error


def _make(path: Path) -> None:
    """Write a new key; when several processes start at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_hex(32), encoding="ascii")
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()
