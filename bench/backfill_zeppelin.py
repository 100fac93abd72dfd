"""Zeppelin's own loader, from npm, over the same CAR files into its own schema: installed, mended, run, and checked.

Its best case: its queue, its messages between processes and its look-ups on the network are left out; its indexes are
dropped before and built after, as its author does; every process has imported all and is connected before the clock
starts. The server keeps all durability, though the author turns fsync off: ours has it on too.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from bench.backfill_input import OUT, BackfillInput
from bench.sizes import RelationSize, relation_sizes
from bench.stage_cost import Stage, Watch, both, watch
from bench.temporary_warehouse import empty_database
from tests.network.node import NODE, NPM, node_environment
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

SOURCES: Final = Path(__file__).parent / "zeppelin"
INSTALLED: Final = OUT.parent / "zeppelin"
LOADER: Final = INSTALLED / "node_modules" / "@zeppelin-social" / "bsky-backfill" / "dist" / "data-plane" / "server"
#: Its COPY writes rows without an end of line between them, so that the second row is read into the first: none loads.
BROKEN, MENDED = "stream.write(formatRow(row))", "stream.write(formatRow(row) + '\\n')"
INSTALL_SECONDS = 900

PARSE, LOAD, INDEXES, END_TO_END = "parse only", "load", "indexes", "end to end"

#: What each table must hold of the valid records of a collection: one row for each of these keys.
TABLES: Final = {
    "post": ("app.bsky.feed.post", "uri"),
    "profile": ("app.bsky.actor.profile", "uri"),
    "like": ("app.bsky.feed.like", "(did, json::json #>> '{subject,uri}')"),
    "repost": ("app.bsky.feed.repost", "(did, json::json #>> '{subject,uri}')"),
    "follow": ("app.bsky.graph.follow", "(did, json::json ->> 'subject')"),
    "actor_block": ("app.bsky.graph.block", "(did, json::json ->> 'subject')"),
}


@dataclass(frozen=True, slots=True)
class ZeppelinRun:
    """One run with some processes.

    Attributes:
        processes: side by side.
        stages: parsing alone; loading (which parses too), indexes, and both together.
        written: records in its tables: those valid by its lexicons, of collections that it knows.
        sizes: of its schema.
    """

    processes: int
    stages: tuple[Stage, ...]
    written: int
    sizes: tuple[RelationSize, ...]


@dataclass(frozen=True, slots=True)
class _Driver:
    """One process of the driver, and how to speak with it: by lines."""

    step: str
    process: subprocess.Popen[str]

    def tell(self, lines: list[str]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def hear(self) -> str:
        """The next line; raises AssertionError when there is none, as the process has failed."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"Zeppelin's {self.step} ended with {self.process.wait()}; see what it printed above")
        return line.strip()


def install_zeppelin() -> None:
    """Brings the installed copy to the state of the lock file and mends it; does nothing when it is there."""
    files = [SOURCES / name for name in ("package.json", "package-lock.json", ".npmrc")]
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in files) + MENDED.encode()).hexdigest()
    stamp = INSTALLED / "installed"
    INSTALLED.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCES / "driver.mjs", INSTALLED)
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    for file in files:
        shutil.copy(file, INSTALLED)
    _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    broken = (LOADER / "util.js").read_text(encoding="utf-8")
    if broken.count(BROKEN) != 1:
        raise AssertionError(f"{LOADER / 'util.js'}: the line to be mended is there {broken.count(BROKEN)} times")
    (LOADER / "util.js").write_text(broken.replace(BROKEN, MENDED), encoding="utf-8")
    stamp.write_text(wanted, encoding="ascii")


def run_zeppelin(server: EmbeddedPostgres, made: BackfillInput, processes: int) -> ZeppelinRun:
    """Parses once for the rate of that alone, then loads and builds the indexes in a new database.

    Raises:
        AssertionError: a step failed, or its tables do not hold what they should.
    """
    cars = [str(car) for car in made.cars()]
    shares = [cars[number::processes] for number in range(processes)]
    with empty_database(server) as url:
        _, [prepared] = _step(server, url, "prepare", [[]])
        parse, parsed = _step(server, url, "parse", shares)
        load, loaded = _step(server, url, "load", shares)
        build, _ = _step(server, url, "index", [prepared["indexes"]])
        written = sum(told["written"] for told in loaded)
        for told in (parsed, loaded):
            if sum(one["records"] for one in told) != made.records:
                raise AssertionError(f"Zeppelin's parser found other records than {made.records}: {told}")
        with psycopg.connect(url, autocommit=True, options="-c search_path=bsky,public") as connection:
            _check(connection, written)
            sizes = relation_sizes(connection)
    stages = (
        parse.stage(PARSE, made.records, processes),
        load.stage(LOAD, made.records, processes),
        build.stage(INDEXES, made.records, 1),
        both(load, build).stage(END_TO_END, made.records, processes),
    )
    return ZeppelinRun(processes, stages, written, tuple(sizes))


def _check(connection: psycopg.Connection[Any], written: int) -> None:
    """That the work was done: all valid records in one table, and in those of their collections what belongs there."""
    expected = {"record": written}
    found = {"record": _count(connection, "SELECT count(*) FROM record")}
    for table, (collection, key) in TABLES.items():
        of_collection = f"SELECT count(DISTINCT {key}) FROM record WHERE split_part(uri, '/', 4) = '{collection}'"
        expected[table] = _count(connection, of_collection)
        found[table] = _count(connection, f'SELECT count(*) FROM "{table}"')
    if not written or found != expected:
        raise AssertionError(f"Zeppelin's tables hold {found}, but its records make {expected}")


def _count(connection: psycopg.Connection[Any], query: Any) -> int:
    return connection.execute(query).fetchall()[0][0]


def _step(server: EmbeddedPostgres, url: str, name: str, shares: list[list[str]]) -> tuple[Watch, list[dict[str, Any]]]:
    """A step of the driver, by one process for each share of the lines; what it cost, and what each process told."""
    with ExitStack() as stack:
        drivers = [stack.enter_context(_driver(name, url)) for _ in shares]
        for driver in drivers:
            driver.hear()  # that it is ready
        with watch(server) as spent:
            for driver, lines in zip(drivers, shares, strict=True):
                driver.tell([*lines, ""])
            told = [json.loads(driver.hear()) for driver in drivers]
        for one in told:
            spent.add_process(one["cpuSeconds"], one["peakBytes"])
    return spent, told


@contextmanager
def _driver(name: str, url: str) -> Generator[_Driver]:
    """A process of the driver that is starting; gone at the end."""
    with subprocess.Popen(
        [_bun(), "--no-deprecation", "driver.mjs", name],
        cwd=INSTALLED,
        env={**os.environ, "DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield _Driver(name, process)
        finally:
            process.kill()


def _bun() -> Path:
    found = sorted((INSTALLED / "node_modules" / "@oven").glob("bun-*/bin/bun"))
    if not found:
        raise AssertionError("npm has no Bun for this machine")
    return found[0]


def _npm(*arguments: str) -> None:
    command = [NODE, NPM, *arguments]
    subprocess.run(command, cwd=INSTALLED, env=node_environment(), check=True, timeout=INSTALL_SECONDS)
