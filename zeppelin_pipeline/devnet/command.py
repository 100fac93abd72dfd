"""`zeppelin devnet`: the options of the command line, and nothing else."""

from pathlib import Path
from typing import Annotated

import typer

from zeppelin_pipeline.devnet.faults import FaultKind, parse_fault_option
from zeppelin_pipeline.devnet.rate_limit import RateLimit
from zeppelin_pipeline.errors import ConfigurationError


def devnet_command(
    repos: Annotated[int, typer.Option(min=1, help="Accounts, each with a repository of about 300 records.")] = 500,
    hosts: Annotated[int, typer.Option(min=1, help="PDS hosts; the first is the largest.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed makes the same accounts, records and CIDs.")] = 1,
    mean_records: Annotated[float, typer.Option(min=1, help="Mean records of a repository.")] = 300.0,
    rate: Annotated[
        float, typer.Option(min=0, help="Live events a second; while it runs: GET and POST /_devnet/live of the relay.")
    ] = 0.0,
    labels: Annotated[
        int, typer.Option(min=0, help="Accounts and posts that the first account, a labeler, labels. 0: no labeler.")
    ] = 0,
    web_accounts: Annotated[
        int, typer.Option(min=0, help="Accounts of did:web, from the second on; only with --base-port.")
    ] = 0,
    base_port: Annotated[
        int,
        typer.Option(
            min=0,
            max=65_000,
            help="Port of the PLC directory; relay, hosts, labeler, documents of did:web follow. 0: any free.",
        ),
    ] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Keep made repositories here for the next run; else a temporary folder.")
    ] = None,
    description: Annotated[
        Path | None, typer.Option(help="Write the URLs to this JSON file, once everything serves.")
    ] = None,
    requests_per_window: Annotated[
        int,
        typer.Option(min=1, help="Requests that a host allows a client in five minutes (twice that of getRepo)."),
    ] = RateLimit().requests,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HOST:KIND[,field=value]",
            help=f"Something wrong with a host from the start, as in 1:http-error,share=0.1,first=20. "
            f"Kinds: {', '.join(FaultKind)}. May be given several times. "
            "While it runs: POST, GET and DELETE /_devnet/faults of the host.",
        ),
    ] = None,
) -> None:
    """Serve a small AT Protocol network on loopback: PLC directory, PDS hosts and relay, until Ctrl-C."""
    import asyncio

    from zeppelin_pipeline.devnet.model import DevnetConfig, LiveConfig
    from zeppelin_pipeline.devnet.network import run_devnet, wall_clock_seq

    try:
        config = DevnetConfig(
            repos=repos,
            hosts=hosts,
            seed=seed,
            mean_records=mean_records,
            rate_limit=RateLimit(requests=requests_per_window),
            live=LiveConfig(events_per_second=rate, first_seq=wall_clock_seq()),
            faults=tuple(parse_fault_option(text) for text in fault or ()),
            labels=labels,
            web_ports=_web_ports(web_accounts, base_port, 2 + hosts + bool(labels)),
            base_port=base_port,
            data_dir=data_dir,
        )
        asyncio.run(run_devnet(config, description, typer.echo))
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from error


def _web_ports(accounts: int, base_port: int, others: int) -> tuple[int, ...]:
    """The ports behind those of the other servers; a DID of did:web names its port, so that it cannot be any."""
    if accounts and not base_port:
        raise ConfigurationError("accounts of did:web need --base-port")
    first = base_port + others
    return tuple(range(first, first + accounts))
