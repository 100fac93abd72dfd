"""What a run stands on: the official network and our warehouse of it, made anew or found running.

The process that makes it writes `state.json` into its home and holds the lock beside it; others attach while it lives.
"""

import fcntl
import json
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from tests.conformance.appview import Addresses, running_official_network
from tests.conformance.ours import backfilled, begin_streams, settings_for, take_in_live
from tests.conformance.world import World, survey
from tests.network.node import install_packages
from tests.search_index import make_searchable
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

SEEDS = ("official", "ours")
LIVE_SEED = "live"


@dataclass(frozen=True, slots=True)
class Ground:
    """Both sides, and what there is to ask about.

    Attributes:
        addresses: of the official network.
        warehouse_url: our database of it.
        world: what its hosts hold.
    """

    addresses: Addresses
    warehouse_url: str
    world: World

    def write(self, path: Path) -> None:
        """For others to attach."""
        document = {
            "addresses": self.addresses.document(),
            "warehouse_url": self.warehouse_url,
            "world": asdict(self.world),
        }
        path.write_text(json.dumps(document), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Self:
        """As it was written."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(Addresses(**document["addresses"]), document["warehouse_url"], World(**document["world"]))


@contextmanager
def standing_ground(home: Path, seeds: tuple[str, ...] = SEEDS, *, ingests: bool = False) -> Generator[Ground]:
    """The ground that another process keeps in this home, else one of our own.

    Args:
        home: for all files.
        seeds: the parts of the contents that are backfilled, when it is made anew.
        ingests: take the network that another process keeps into a warehouse of our own.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("ab") as lock:
        if _is_kept(lock) and (home / "state.json").exists():
            kept = Ground.read(home / "state.json")
            with _ingested(home, kept) if ingests else _as_it_is(kept) as ground:
                yield ground
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        (home / "state.json").unlink(missing_ok=True)
        with _made(home, seeds) as ground:
            ground.write(home / "state.json")
            yield ground


def _is_kept(lock: Any) -> bool:
    """Whether another process holds the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def _as_it_is(ground: Ground) -> Generator[Ground]:
    yield ground


@contextmanager
def _made(home: Path, seeds: tuple[str, ...]) -> Generator[Ground]:
    install_packages()
    with (
        EmbeddedPostgres(home / "postgres", settings={"max_connections": "200"}) as postgres,
        running_official_network(home, postgres) as network,
    ):
        written: dict[str, Any] = {}
        for name in seeds:
            written = network.seed(name)
        with _warehouse(home, postgres, "conformance") as url:
            settings = settings_for(network.addresses, url, home / "conformance")
            begun = written["heads"]
            with backfilled(settings) as backfill:
                begin_streams(settings, network.addresses, begun)
                reached = network.seed(LIVE_SEED)["heads"]
                take_in_live(backfill, network.addresses, reached)
                make_searchable(settings.require_postgres_url())
            yield Ground(network.addresses, url, survey(network.addresses))


@contextmanager
def _ingested(home: Path, kept: Ground) -> Generator[Ground]:
    with (
        EmbeddedPostgres(home / "postgres") as postgres,
        _warehouse(home, postgres, f"conformance_{uuid4().hex}") as url,
        backfilled(settings_for(kept.addresses, url, home / url.rsplit("/", 1)[1])) as backfill,
    ):
        make_searchable(backfill.settings.require_postgres_url())
        yield Ground(kept.addresses, url, kept.world)


@contextmanager
def _warehouse(home: Path, postgres: EmbeddedPostgres, name: str) -> Generator[str]:
    """An empty database and the folder of the lake beside it, both removed at the end."""
    postgres.drop_database(name)
    shutil.rmtree(home / name, ignore_errors=True)
    try:
        yield postgres.create_database(name)
    finally:
        postgres.drop_database(name)
        shutil.rmtree(home / name, ignore_errors=True)
