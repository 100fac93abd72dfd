"""Where made repositories are kept: one CAR file each, made when first asked for, so that memory stays small."""

import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import RLock

from zeppelin_pipeline.atproto.car import read_car
from zeppelin_pipeline.devnet.faults import FaultKind
from zeppelin_pipeline.devnet.model import Account, DevnetConfig
from zeppelin_pipeline.devnet.repositories import RepositoryMaker, seeded_rev, stale_rev

LAYOUT_VERSION = 1
"""Raised when the same seed makes other bytes than before."""


@dataclass(frozen=True, slots=True)
class StoredRepository:
    """One seeded repository on disk, good or with a fault in it."""

    rev: str
    head: bytes
    path: Path

    def car(self) -> bytes:
        """The whole CAR."""
        return self.path.read_bytes()


class RepositoryStore:
    """Seeded repositories by account and fault. Calls from several threads wait for each other."""

    def __init__(self, maker: RepositoryMaker, folder: Path) -> None:
        self._maker = maker
        self._folder = folder / config_fingerprint(maker.population.config)
        self._known: dict[tuple[int, FaultKind | None], StoredRepository] = {}
        self._lock = RLock()

    def known(self, account: Account, fault: FaultKind | None = None) -> StoredRepository | None:
        """The same if this process has made or read it before: at hand at once."""
        return self._known.get((account.index, fault))

    def load(self, account: Account, fault: FaultKind | None = None) -> StoredRepository:
        """The seeded repository of an account as this fault (None: none) leaves it; made and kept if it is not yet."""
        with self._lock:
            found = self._known.get((account.index, fault))
            if found is None:
                found = self._read(account, fault) or self._make(account, fault)
                self._known[account.index, fault] = found
            return found

    def _path(self, account: Account, fault: FaultKind | None) -> Path:
        return self._folder / (fault or "good") / f"{account.index // 1000:04d}" / f"{account.index:08d}.car"

    def _read(self, account: Account, fault: FaultKind | None) -> StoredRepository | None:
        path = self._path(account, fault)
        if not path.exists():
            return None
        roots, _ = read_car(path.read_bytes())
        rev = stale_rev(account) if fault is FaultKind.TWO_HOSTS else seeded_rev(account)
        return StoredRepository(rev, roots[0], path)

    def _make(self, account: Account, fault: FaultKind | None) -> StoredRepository:
        made = self._maker.make(account, fault)
        path = self._path(account, fault)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(made.car)
        temporary.replace(path)
        return StoredRepository(made.rev, made.head, path)


def config_fingerprint(config: DevnetConfig) -> str:
    """A folder name for all that decides the bytes of the seeded repositories."""
    parts = (
        LAYOUT_VERSION,
        config.repos,
        config.hosts,
        config.seed,
        config.mean_records,
        config.odd_share,
        config.inactive_share,
        config.p256_share,
        config.web_ports,
    )
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()
