"""The official network of npm/peer.mjs as a context manager, and what npm/seed.mjs wrote to it as values."""

import json
import select
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.network.node import NODE, PACKAGE, node_environment, run_node

START_SECONDS = 60
STOP_SECONDS = 20
SEED_SECONDS = 120
#: The first test waits for all this: npm's install and a compilation, the seeding, the backfill.
SETUP_SECONDS = 900

#: Deleted by the tests when it is already listed and planned: its repository is gone when it is asked for.
DELETED = "heidi"
#: Moved to another host and silent since: the key that signed the head commit is no more the account's.
BY_FORMER_KEY = "trent"
#: Deactivated, taken down, deleted.
HIDDEN = frozenset({"grace", "ivan", DELETED})


@dataclass(frozen=True, slots=True)
class Network:
    """Where the servers listen.

    Attributes:
        plc_url: the PLC directory.
        pds_urls: URL of each PDS by its name, `alpha` and `beta`.
        admin_password: of both PDSes, for HTTP basic authentication as `admin`.
        addresses: what peer.mjs printed, for the scripts beside it.
    """

    plc_url: str
    pds_urls: dict[str, str]
    admin_password: str
    addresses: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands when the seeding is over.

    Attributes:
        name: what the seed calls it.
        host: name of the PDS that it lives on.
        state: active, deactivated or takendown.
        display_name: None where the account has no profile.
        moved_from: name of the PDS that it left, if it did.
    """

    name: str
    did: str
    handle: str
    host: str
    state: str
    display_name: str | None
    description: str | None
    moved_from: str | None


@dataclass(frozen=True, slots=True)
class Post:
    """A post: its author's name, and the keys of the posts that it answers or quotes."""

    key: str
    uri: str
    cid: str
    author: str
    text: str
    parent: str | None
    root: str | None
    quotes: str | None
    embed: str | None


@dataclass(frozen=True, slots=True)
class Seed:
    """What was written. Relations are pairs of (name of who acts, key of the post or name of the subject)."""

    accounts: dict[str, Account]
    posts: dict[str, Post]
    likes: list[tuple[str, str]]
    reposts: list[tuple[str, str]]
    follows: list[tuple[str, str]]
    invalid_uris: frozenset[str]
    deleted_uris: frozenset[str]
    bulk_posts: int
    document: str


@contextmanager
def running_network(folder: Path, plc_database: str) -> Generator[Network]:
    """Starts the servers and ends them; their data and `peer.log` are in `folder`, the directory's in the database."""
    with (
        (folder / "peer.log").open("wb") as log,
        subprocess.Popen(
            [NODE, "peer.mjs", str(folder), plc_database],
            cwd=PACKAGE,
            env={**node_environment(), "LOG_ENABLED": "true", "LOG_LEVEL": "warn"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        ) as peer,
    ):
        try:
            yield _read_addresses(peer, folder)
        finally:
            assert peer.stdin is not None
            peer.stdin.close()  # how it is asked to stop
            try:
                peer.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                peer.kill()


def seed_network(network: Network) -> Seed:
    """Writes accounts and records through the official client."""
    document = run_node("seed.mjs", network.addresses, timeout_seconds=SEED_SECONDS)
    written = json.loads(document)
    return Seed(
        accounts={name: _account(fields) for name, fields in written["accounts"].items()},
        posts={key: _post(key, fields) for key, fields in written["posts"].items()},
        likes=[(like["actor"], like["post"]) for like in written["likes"]],
        reposts=[(repost["actor"], repost["post"]) for repost in written["reposts"]],
        follows=[(follow["actor"], follow["subject"]) for follow in written["follows"]],
        invalid_uris=frozenset(written["invalid"]),
        deleted_uris=frozenset(written["deleted"]),
        bulk_posts=written["bulkPosts"],
        document=document,
    )


def _read_addresses(peer: subprocess.Popen[bytes], folder: Path) -> Network:
    assert peer.stdout is not None
    is_ready, _, _ = select.select([peer.stdout], [], [], START_SECONDS)
    line = peer.stdout.readline().decode() if is_ready else ""
    assert line, f"the official servers did not start:\n{(folder / 'peer.log').read_text(encoding='utf-8')}"
    addresses = json.loads(line)
    return Network(
        plc_url=addresses["plc"],
        pds_urls={name: pds["url"] for name, pds in addresses["pds"].items()},
        admin_password=addresses["adminPassword"],
        addresses=line,
    )


def _account(fields: dict[str, Any]) -> Account:
    return Account(
        name=fields["name"],
        did=fields["did"],
        handle=fields["handle"],
        host=fields["host"],
        state=fields["state"],
        display_name=fields.get("displayName"),
        description=fields.get("description"),
        moved_from=fields.get("movedFrom"),
    )


def _post(key: str, fields: dict[str, Any]) -> Post:
    return Post(
        key=key,
        uri=fields["uri"],
        cid=fields["cid"],
        author=fields["author"],
        text=fields["text"],
        parent=fields.get("parent"),
        root=fields.get("root"),
        quotes=fields.get("quotes"),
        embed=fields.get("embed"),
    )
