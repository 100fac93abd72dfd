"""How fast methods are answered: `python -m bench.api [--against official] [--json FILE]`.

Each method is asked, by 1 and by 16 clients for some seconds each, about many different things one after the other:
requests a second, how long they took, and the processor time of a request, that of Postgres included. Without
`--against` our service is asked alone, over a warehouse of a devnet. With it the official AppView of
`tests.conformance` is asked the same, over the same data, on the same machine and server, one after the other; the
network is started for it, or taken from `--home` where `make conformance ARGS=--keep` keeps one. Of all questions of
the conformance those are taken that both answer with success; methods without one are left out. Meanwhile the official
AppView suggests all accounts, as ours does: its operator names them, and otherwise it answers with an empty list.

Both are served by one process. What each uses when nobody asks is taken off, which is right only on a machine that does
nothing else.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import uvloop

from bench.api_ground import devnet_ground
from bench.api_sides import Service, official_service, our_service, suggested_accounts
from bench.http_load import answers_to, load
from bench.temporary_warehouse import temporary_server
from tests.conformance.appview import OFFICIAL_DATABASE
from tests.conformance.ground import SEEDS, standing_ground
from tests.conformance.questions import all_questions
from tests.conformance.world import World
from zeppelin_pipeline.stack.embedded_postgres import EmbeddedPostgres

CLIENTS: Final = (1, 16)
HOME: Final = Path(".zeppelin") / "conformance"
#: So many questions of a method are gone through; of twice as many those that succeed are taken.
QUESTIONS: Final = 40
#: Routes beside the questions of the conformance.
PLAIN: Final = ("/.well-known/did.json",)
IDLE_SECONDS: Final = 5.0
BUDGET: Final = 4.0


@dataclass(frozen=True, slots=True)
class Figures:
    """One service, one method, some clients; times of a request.

    Attributes:
        requests: that were made.
        per_second: by the wall clock.
        p50_millis: half of them took no longer.
        p99_millis: of a hundred ninety-nine.
        service_micros: processor time of the service.
        server_micros: processor time of Postgres.
        failed: that were not answered with success.
    """

    service: str
    method: str
    clients: int
    requests: int
    per_second: float
    p50_millis: float
    p99_millis: float
    service_micros: float
    server_micros: float
    failed: int

    @property
    def micros(self) -> float:
        """Processor time of a request in all."""
        return self.service_micros + self.server_micros


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers are ended
    options = _options()
    with _services(options) as (services, world):
        paths = {
            method: found
            for method, asked in paths_of(world).items()
            if any(fnmatchcase(method, pattern) for pattern in options.method)
            and (found := asyncio.run(_answered(services, asked)))
        }
        load_average = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        print(f"{len(paths)} methods, {options.seconds:g} s each; {load_average}", flush=True)
        measured = list(_measure(services, paths, options.seconds))
    if len(services) > 1:
        _print_ratios(measured)
    if options.json is not None:
        document = {"machine": load_average, "figures": [asdict(each) for each in measured]}
        options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", choices=("official",))
    parser.add_argument("--home", type=Path, default=HOME, help="of the official network")
    parser.add_argument("--repos", type=int, default=300, help="of the devnet, without the official network")
    parser.add_argument("--seconds", type=float, default=2.0, help="for a method, a number of clients and a service")
    parser.add_argument("--method", action="append", help="only methods like this (may be repeated)")
    parser.add_argument("--json", type=Path, help="all figures")
    options = parser.parse_args()
    options.method = options.method or ["*"]
    return options


@contextmanager
def _services(options: argparse.Namespace) -> Generator[tuple[list[Service], World]]:
    if options.against is None:
        with temporary_server() as server, devnet_ground(server, options.repos) as ground:
            pending = {"ACCEPT_PENDING_HANDLES": "true"}
            with our_service(ground.url, _pid(server), **pending) as ours:
                yield [ours], ground.world
        return
    home = options.home.resolve()
    with standing_ground(home, SEEDS) as ground:
        server, world = EmbeddedPostgres(home / "postgres"), ground.world
        with (
            our_service(ground.warehouse_url, _pid(server), ground.addresses.plc_url) as ours,
            suggested_accounts(server.url(OFFICIAL_DATABASE), world.dids),
        ):
            yield [ours, official_service(ground.addresses.appview_url, _pid(server))], world


def _pid(server: EmbeddedPostgres) -> int:
    if server.pid is None:
        raise AssertionError(f"no server runs in {server.folder}")
    return server.pid


def paths_of(world: World) -> dict[str, list[str]]:
    """Of each method paths with their parameters, evenly taken from all questions."""
    by_method: dict[str, list[str]] = {}
    for question in all_questions(world):
        path = f"/xrpc/{question.method}?{urlencode(question.parameters)}".removesuffix("?")
        by_method.setdefault(question.method, []).append(path)
    some = {method: _evenly(list(dict.fromkeys(paths)), 2 * QUESTIONS) for method, paths in by_method.items()}
    return some | {path: [path] for path in PLAIN}


def _evenly(paths: list[str], most: int) -> list[str]:
    step = max(1.0, len(paths) / most)
    return [paths[int(number * step)] for number in range(min(most, len(paths)))]


async def _answered(services: Iterable[Service], paths: Sequence[str]) -> list[str]:
    """Those of the paths that all services answer with success; it warms them up, too."""
    found = list(paths)
    for service in services:
        answers = await answers_to(service.url, found, max(CLIENTS))
        found = [path for path, answer in zip(found, answers, strict=True) if answer.status == 200]
    return _evenly(found, QUESTIONS)


def _measure(services: list[Service], paths: dict[str, list[str]], seconds: float) -> Generator[Figures]:
    idle = {service.name: _idle(service) for service in services}
    for name, (own, server) in idle.items():
        print(
            f"{name} uses {own:.1%} of a processor when it is not asked, Postgres {server:.1%}: taken off", flush=True
        )
    for method, asked in paths.items():
        for clients in CLIENTS:
            for service in services:
                figures = measure(service, method, asked, clients, seconds, idle[service.name])
                print(_line(figures), flush=True)
                yield figures


def _idle(service: Service) -> tuple[float, float]:
    """Processor seconds a second, of the service and of Postgres, when nobody asks."""
    own, server = service.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    own_after, server_after = service.cpu_seconds()
    return (own_after - own) / IDLE_SECONDS, (server_after - server) / IDLE_SECONDS


def measure(
    service: Service,
    method: str,
    paths: Sequence[str],
    clients: int,
    seconds: float,
    idle: tuple[float, float] = (0.0, 0.0),
) -> Figures:
    """One method of one service, without what it uses when it is idle."""
    own, server = service.cpu_seconds()
    made = uvloop.run(load(service.url, paths, clients, seconds))
    own_after, server_after = service.cpu_seconds()
    return Figures(
        service=service.name,
        method=method,
        clients=clients,
        requests=made.requests,
        per_second=made.requests / made.wall_seconds,
        p50_millis=made.millis(50),
        p99_millis=made.millis(99),
        service_micros=max(0.0, own_after - own - idle[0] * made.wall_seconds) / made.requests * 1e6,
        server_micros=max(0.0, server_after - server - idle[1] * made.wall_seconds) / made.requests * 1e6,
        failed=made.failed,
    )


def _line(each: Figures) -> str:
    return (
        f"{each.method:<48} {each.service:<8} {each.clients:>2} clients {each.per_second:>8,.1f}/s"
        f"  p50 {each.p50_millis:>7.1f}  p99 {each.p99_millis:>7.1f} ms"
        f"  processor {each.micros:>7,.0f} us ({each.service_micros:,.0f} + Postgres {each.server_micros:,.0f})"
        + (f"  {each.failed} FAILED" if each.failed else "")
    )


def _print_ratios(measured: list[Figures]) -> None:
    """How many times ours is better, by method: requests a second, and processor time of a request."""
    by_key = {(each.service, each.method, each.clients): each for each in measured}
    ratios: list[float] = []
    print(f"\n{'times the official':<48}" + "".join(f" {f'{n} clients':>11} {'processor':>10}" for n in CLIENTS))
    for method in dict.fromkeys(each.method for each in measured):
        cells = ""
        for clients in CLIENTS:
            ours, theirs = by_key["ours", method, clients], by_key["official", method, clients]
            ratio = _ratio(theirs.micros, ours.micros)
            ratios.append(ratio)
            cells += f" {_ratio(ours.per_second, theirs.per_second):>11.1f} {ratio:>10.1f}"
        print(f"{method:<48}{cells}")
    below = sum(ratio < BUDGET for ratio in ratios)
    print(f"processor: median {statistics.median(ratios):.1f} times, least {min(ratios):.1f}; {below} below {BUDGET:g}")


def _ratio(more: float, less: float) -> Any:
    return more / less if less else float("inf")


if __name__ == "__main__":
    main()
