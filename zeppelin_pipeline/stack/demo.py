"""`zeppelin demo`: the whole way over a small network of our own on loopback, and a check of its own answers.

Each network (its size and seed) has a home folder of its own, so that the data of different ones never mix and a
second run goes on where the first stopped.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx2
from rich.console import Console

from zeppelin_pipeline.errors import ConfigurationError
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.stack.answers import check_answers
from zeppelin_pipeline.stack.child import Program
from zeppelin_pipeline.stack.kernels import compile_kernels
from zeppelin_pipeline.stack.ports import is_port_free
from zeppelin_pipeline.stack.running import running_stack
from zeppelin_pipeline.stack.summary import print_addresses
from zeppelin_pipeline.stack.supervisor import Supervisor, terminating_as_interrupt
from zeppelin_pipeline.stack.truth import read_truth
from zeppelin_pipeline.stack.up import backfill, stay

SHARDS: Final = 12
SMALLEST_SHARD: Final = 20
REQUESTS_PER_REPOSITORY: Final = 4
LEAST_REQUESTS: Final = 3_000
#: Accounts and posts that the network's labeler labels.
LABELS: Final = 30
#: Accounts of did:web among them.
WEB_ACCOUNTS: Final = 3
#: Events a second, once everything is in: enough to see the firehose move.
LIVE_EVENTS_PER_SECOND: Final = 5.0
_ASK_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class DemoNetwork:
    """The network to make: accounts, PDS hosts, and the seed of every choice."""

    repos: int
    hosts: int
    seed: int

    @property
    def folder(self) -> str:
        """The name of its home below the settings' home."""
        return f"demo-{self.repos}-{self.hosts}-{self.seed}"


def run_demo(settings: Settings, network: DemoNetwork, console: Console, *, is_once: bool) -> bool:
    """Start everything, backfill, and stay until a signal while people write; or check the answers and end.

    Returns:
        Whether every shard was loaded and, when checked, every answer was right.

    Raises:
        ConfigurationError: the answers cannot be checked any more, as people wrote in an earlier run.
        ZeppelinError: something could not be started, or ended by itself.
    """
    home = settings.home / network.folder
    if is_once and _mark_of_life(home).exists():
        raise ConfigurationError(
            f"people wrote in an earlier demo of this network, which it has forgotten since: the answers cannot be"
            f" checked. Remove {home}, or choose another --seed"
        )
    with terminating_as_interrupt(), Supervisor(home / "logs") as supervisor:
        console.print(
            f"Demo: {network.repos:,} accounts on {network.hosts} hosts; everything is kept in {home}", soft_wrap=True
        )
        compile_kernels(console)
        urls = _start_network(settings, network, home, supervisor)
        demo = _settings_over(settings, network, home, urls)
        api_environment = {"ZEPPELIN_API_LABELERS": urls["labeler"]}
        with running_stack(demo, supervisor, console.print, api_environment) as stack:
            report = backfill(stack, console)
            print_addresses(console, stack)
            wrong: list[str] = []
            if is_once:
                truth = read_truth(urls["hosts"], urls["labeler"], urls["labels"])
                wrong = check_answers(stack, truth, console)
            else:
                _begin_to_live(home, urls["relay_url"], console)
                stay(stack, console)
            return not (wrong or report.shards_failed or report.hosts_failed)


def _begin_to_live(home: Path, relay: str, console: Console) -> None:
    """Have people write from now on; what they write is in the warehouse after the network has forgotten it."""
    _mark_of_life(home).touch()
    told = {"events_per_second": LIVE_EVENTS_PER_SECOND}
    httpx2.post(f"{relay}/_devnet/live", json=told, timeout=_ASK_SECONDS, trust_env=False).raise_for_status()
    console.print(
        f"People write now, {LIVE_EVENTS_PER_SECOND:g} events a second: see the asset firehose, and the status page.",
        soft_wrap=True,
    )


def _mark_of_life(home: Path) -> Path:
    return home / "live-events"


def _start_network(settings: Settings, network: DemoNetwork, home: Path, supervisor: Supervisor) -> dict[str, Any]:
    """Start the network; its description, with the URLs of the PLC directory, the relay and the hosts, and the labels.

    The ports are fixed, so that the hosts keep their names between runs.
    """
    ports = range(settings.devnet_port, settings.devnet_port + network.hosts + 3 + WEB_ACCOUNTS)
    taken = [port for port in ports if not is_port_free(port)]
    if taken:
        raise ConfigurationError(f"port {taken[0]} for the demo's network is taken: set ZEPPELIN_DEVNET_PORT")
    description = home / "devnet.json"
    description.unlink(missing_ok=True)
    options = {
        "repos": network.repos,
        "hosts": network.hosts,
        "seed": network.seed,
        "labels": LABELS,
        "web-accounts": WEB_ACCOUNTS,
        "base-port": settings.devnet_port,
        "data-dir": home / "devnet",
        "description": description,
        "requests-per-window": max(LEAST_REQUESTS, REQUESTS_PER_REPOSITORY * network.repos),
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = (sys.executable, "-m", "zeppelin_pipeline.cli", "devnet", *words)
    supervisor.start(Program("devnet", command, settings.environment(), description.exists))
    return cast("dict[str, Any]", json.loads(description.read_text(encoding="utf-8")))


def _settings_over(settings: Settings, network: DemoNetwork, home: Path, urls: dict[str, Any]) -> Settings:
    """The settings for the demo's network: its witnesses alone, its hosts allowed, and shards small enough to watch."""
    shard_size = max(SMALLEST_SHARD, network.repos // SHARDS)
    return settings.model_copy(
        update={
            "home": home,
            "lake_url": str(home / "lake"),
            "relay_urls": (urls["relay_url"],),
            "plc_url": urls["plc_url"],
            "dns_servers": (urls["dns"],),
            "handle_resolvers": (),
            "hosts": (),
            "scrape_state": None,
            "allow_private_hosts": True,
            "shard_size": shard_size,
            "tail_limit": shard_size,
        }
    )
