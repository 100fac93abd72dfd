"""Every setting of the pipeline, with its default, its bounds and what it is for.

A setting `car_cap_bytes` is the environment variable `ZEPPELIN_CAR_CAP_BYTES`. An empty variable counts as unset.
Settings are read at the edges (defs, stack, cli) and handed to the domain as plain arguments.
"""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from zeppelin_pipeline.environment import (
    POSTGRES_SCHEMES,
    EnvironmentSettings,
    FromJson,
    Listed,
    as_text,
    checked_url,
)
from zeppelin_pipeline.errors import ConfigurationError

URL_SCHEMES = frozenset({"http", "https"})
RELAY_SCHEMES = URL_SCHEMES | {"ws", "wss"}
MEBIBYTE = 1 << 20

Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(EnvironmentSettings):
    """The settings of the pipeline and of the stack."""

    model_config = SettingsConfigDict(env_prefix="ZEPPELIN_", env_ignore_empty=True, extra="forbid")

    # Where things are kept
    home: Path = Field(
        Path(".zeppelin"), description="Folder for all that is kept: lake, embedded Postgres, logs, Dagster's home."
    )
    lake_url: str = Field(
        "", description="The lake's folder or fsspec URL (s3://bucket/prefix). Default: `lake` in the home."
    )
    lake_options: FromJson[dict[str, Any]] = Field(
        {},
        repr=False,
        description='Options of the lake\'s file system, JSON: {"endpoint_url": …, "key": …, "secret": …} for S3.',
    )
    postgres_url: str | None = Field(
        None, description="The warehouse's database. Default: an embedded PostgreSQL in the home."
    )
    postgres_bindir: Path | None = Field(
        None, description="Folder of PostgreSQL 18's programs for the embedded server."
    )
    postgres_port: Port | None = Field(None, description="Port of the embedded server. Default: a free one, then kept.")
    postgres_shared_buffers_bytes: int = Field(
        512 * MEBIBYTE,
        ge=MEBIBYTE,
        le=1 << 40,
        description="Pages that the embedded server keeps. A large warehouse wants a quarter of the machine's memory.",
    )
    dagster_postgres_url: str | None = Field(
        None,
        description="Database of Dagster's own storage. Default: SQLite; `up` and `demo` put it beside the warehouse.",
    )

    # The network
    relay_urls: Listed = Field(
        ("https://bsky.network",), description="Relays asked for hosts (listHosts), separated by commas."
    )
    plc_url: str = Field("https://plc.directory", description="The PLC directory.")
    hosts: Listed = Field((), description="PDS hosts known by hand, separated by commas.")
    scrape_state: str | None = Field(
        None, description="File or URL of a state.json of mary-ext/atproto-scraping, a witness of hosts."
    )
    allow_private_hosts: bool = Field(
        False, description="Whether hosts on loopback and private addresses may be asked (test networks)."
    )
    user_agent: str = Field(
        "zeppelin/0.1 (+https://github.com/zeppelin-social)",
        min_length=1,
        description="How we introduce ourselves to hosts.",
    )

    # Who accounts are
    plc_window_operations: int = Field(
        500_000, ge=1_000, description="Operations of the PLC directory's export in one partition, at least."
    )
    plc_pages_per_minute: int = Field(
        100, ge=1, le=6_000, description="Pages of the export, of 1,000 operations, asked for in a minute."
    )
    plc_fresh_seconds: float = Field(
        300.0, ge=0, description="For how long after the export's end was seen its mirror answers for the directory."
    )
    did_web_seconds: float = Field(
        600.0, ge=0, description="For how long the document of a did:web does for planning and fetching."
    )
    dns_servers: Listed = Field(
        (), description="Name servers for handles, `address` or `address:port`. Default: the system's."
    )
    handle_resolvers: Listed = Field(
        ("bsky.social=https://bsky.social",),
        description="Hosts that are asked for all handles below a domain, `domain=URL`, separated by commas.",
    )
    handle_in_flight: int = Field(100, ge=2, le=10_000, description="Handles that are asked for at once.")
    handle_domain_per_second: float = Field(
        10.0, gt=0, description="Handles that the host of one domain is asked for in a second; DNS has no such limit."
    )
    handle_domain_in_flight: int = Field(
        4, ge=1, le=1_000, description="Handles that the host of one domain is asked for at once."
    )
    handle_days: float = Field(30.0, gt=0, description="For how long a verified handle is believed.")

    # Listing and shards
    shard_size: int = Field(10_000, ge=1, le=1_000_000, description="Repositories in a shard of a large host.")
    tail_limit: int = Field(
        200, ge=0, description="A host with more repositories has shards of its own; others are bundled."
    )
    tail_hosts: int = Field(50, ge=1, description="Small hosts in one bundle.")

    # Fetch
    max_in_flight: int = Field(50, ge=1, le=1_000, description="Requests in flight to one host.")
    request_timeout_seconds: float = Field(60.0, gt=0, description="Longest silence of a host within a request.")
    fetch_attempts: int = Field(5, ge=1, le=100, description="Tries of one repository before it is stored as failed.")
    car_cap_bytes: int = Field(256 * MEBIBYTE, ge=1_000, description="Largest repository that is taken.")
    pack_part_bytes: int = Field(128 * MEBIBYTE, ge=1_000, description="Bytes of repositories in one file of a pack.")
    tolerate_failed: float = Field(
        0.0, ge=0, le=1, description="Fraction of a shard's repositories that may fail without failing its partition."
    )

    # Fetch again
    refetch_limit: int = Field(
        1_000_000, ge=1, description="Stale repositories fetched again in one night, those asked for longest ago first."
    )
    refetch_min_age_hours: float = Field(
        24.0, ge=0, description="A repository that was asked for less long ago is not fetched again by itself."
    )
    relook_hours: float = Field(
        72.0,
        ge=0,
        description="After so long, accounts that are not active, and repositories not had, are asked again.",
    )

    # Extract and load
    batch_rows: int = Field(
        50_000, ge=1, le=10_000_000, description="Rows held in memory for a dataset before they are written."
    )
    load_concurrency: int = Field(2, ge=1, le=64, description="Shards loaded into the warehouse at once.")
    index_concurrency: int = Field(2, ge=1, le=64, description="Indexes of the warehouse built at once.")
    index_memory_bytes: int = Field(
        256 * MEBIBYTE, ge=MEBIBYTE, le=1 << 40, description="The server's memory for each index that is being built."
    )
    index_parallel_workers: int = Field(
        0, ge=0, le=64, description="Processes of the server that help to build each index, at most."
    )

    # What leaves the lake
    car_retention_days: float | None = Field(
        None, ge=0, description="CARs are kept so long after their shard is loaded. Default: for ever."
    )
    lake_removal_hours: float = Field(
        72.0, gt=0, description="Within so long the data of accounts that are hidden or gone is to be out of the lake."
    )

    # Firehose
    firehose_enabled: bool = Field(
        True, description="Whether Dagster's sensor keeps the relays' live events flowing into the warehouse."
    )
    firehose_relays: Listed = Field(
        (), description="Relays whose live events are followed, separated by commas. Default: the first of RELAY_URLS."
    )
    firehose_run_minutes: float = Field(
        20.0, gt=0, le=1_440, description="How long one of Dagster's runs follows a relay before the next takes over."
    )
    firehose_verifiers: int = Field(2, ge=1, le=64, description="Processes that verify live events.")
    firehose_batch_events: int = Field(
        5_000, ge=1, le=100_000, description="Live events applied in one transaction at most."
    )
    firehose_batch_seconds: float = Field(
        0.2, gt=0, le=60, description="Longest wait of a live event for others of its transaction."
    )
    firehose_queue_bytes: int = Field(
        64 * MEBIBYTE, ge=8_000_000, description="Bytes of live events that wait in memory; more stops the reading."
    )
    firehose_lag_alert_seconds: float = Field(
        60.0, gt=0, description="Lag behind a relay from which on, when it grows, the sensor firehose_lag fails."
    )
    firehose_silence_alert_seconds: float = Field(
        300.0, gt=0, description="Time without any event of a relay after which the sensor firehose_lag fails."
    )

    # Labels
    labels_enabled: bool = Field(
        True, description="Whether Dagster's sensor keeps all labelers' labels flowing into the warehouse."
    )
    labels_run_minutes: float = Field(
        60.0, gt=0, le=1_440, description="How long one of Dagster's runs follows labelers before the next takes over."
    )
    labels_most_labelers: int = Field(2_000, ge=1, le=100_000, description="Labelers that are followed at most.")
    labels_memory_bytes: int = Field(
        768 * MEBIBYTE, ge=1, description="Bytes of labels that wait in memory, of all labelers together."
    )
    labels_per_second: float = Field(
        5_000.0, gt=0, description="Labels of one labeler taken in a second; a flood waits at the labeler."
    )
    labels_bytes_per_second: float = Field(
        4_000_000.0, gt=0, description="Bytes of one labeler's stream taken in a second."
    )
    labels_rows: int = Field(50_000_000, ge=1, description="Labels of one labeler that are kept; more are refused.")
    labels_quarantine: int = Field(
        1_000, ge=0, description="Refused labels of one labeler that are kept to be looked at; all are counted."
    )

    # Servers of our own, on loopback
    dagster_port: Port = Field(3000, description="Port of Dagster's webserver.")
    api_host: str = Field("127.0.0.1", min_length=1, description="Address that the API listens on.")
    api_port: Port = Field(2584, description="Port of the API.")
    devnet_port: Port = Field(2600, description="First port of the demo's network: PLC, relay, hosts, labeler.")

    @field_validator("home")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        """Child processes have other working directories."""
        return value.expanduser().resolve()

    @field_validator("plc_url")
    @classmethod
    def _check_plc_url(cls, value: str) -> str:
        return checked_url(value, URL_SCHEMES).rstrip("/")

    @field_validator("relay_urls", "firehose_relays")
    @classmethod
    def _check_relay_urls(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checked_url(url, RELAY_SCHEMES).rstrip("/") for url in value)

    @field_validator("handle_resolvers")
    @classmethod
    def _check_handle_resolvers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            domain, equals, url = entry.partition("=")
            if not domain or not equals:
                raise ValueError("must be `domain=URL`")
            checked_url(url, URL_SCHEMES)
        return value

    @field_validator("postgres_url", "dagster_postgres_url")
    @classmethod
    def _check_postgres_url(cls, value: str | None) -> str | None:
        return value if value is None else checked_url(value, POSTGRES_SCHEMES)

    def model_post_init(self, context: Any, /) -> None:
        """The lake's default depends on the home."""
        del context
        if not self.lake_url:
            object.__setattr__(self, "lake_url", str(self.home / "lake"))

    @property
    def followed_relays(self) -> tuple[str, ...]:
        """The relays whose live events are followed."""
        return self.firehose_relays or self.relay_urls[:1]

    def require_postgres_url(self) -> str:
        """The warehouse's URL.

        Raises:
            ConfigurationError: none is set; `up` and `demo` set it for the processes that they start.
        """
        if self.postgres_url is None:
            raise ConfigurationError(
                "ZEPPELIN_POSTGRES_URL is not set: start with `zeppelin up` or `zeppelin demo`, or set it"
            )
        return self.postgres_url

    def environment(self) -> dict[str, str]:
        """The environment of a child process: ours, with these very settings."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {**os.environ, **{self.variable(name): as_text(value) for name, value in values.items()}}
