"""Dagster's resources: what a deployment sets, given to assets; what becomes of it is `deployment`'s business.

The fields of a configurable resource are those of its first base: Dagster shows them, and a run may be given others.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.deployment.firehose import Firehose
from zeppelin_pipeline.deployment.identity import Identity
from zeppelin_pipeline.deployment.labels import Labels
from zeppelin_pipeline.deployment.network import Network
from zeppelin_pipeline.deployment.shards import Shards
from zeppelin_pipeline.identity.mirror import PlcMirror, open_mirror
from zeppelin_pipeline.lake.store import Lake
from zeppelin_pipeline.settings import Settings
from zeppelin_pipeline.warehouse.connection import connect
from zeppelin_pipeline.warehouse.indexes import DEFAULT_LIMITS, BuildLimits


@dataclass(frozen=True, slots=True)
class LakeResource:
    """The lake by its URL: a folder, or `s3://bucket/prefix`, with its file system's options.

    A plain object: the fields of a configurable resource are shown in Dagster's pages, and the options hold a password.
    """

    url: str
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def open(self) -> Lake:
        """The lake; nothing is made yet."""
        return Lake(self.url, self.options)


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The warehouse by its URL; without one, every use says which setting is missing.

    A plain object: the fields of a configurable resource are shown in Dagster's pages, and a URL holds a password.
    """

    url: str | None = field(repr=False)
    build_limits: BuildLimits = DEFAULT_LIMITS

    def require_url(self) -> str:
        """The URL; ConfigurationError says which setting is missing."""
        return self.url or Settings.load().require_postgres_url()

    @contextmanager
    def connect(self, application: str) -> Generator[Connection[TupleRow], None, None]:
        """One connection in autocommit: the domain opens its transactions itself."""
        url = self.require_url()
        with connect(url, application=f"zeppelin {application}", autocommit=True) as connection:
            yield connection

    def mirror(self, application: str, fresh_seconds: float) -> AbstractAsyncContextManager[PlcMirror]:
        """The mirror of the PLC directory, on a connection of its own."""
        return open_mirror(self.require_url(), f"zeppelin {application}", timedelta(seconds=fresh_seconds))


class NetworkResource(Network, dg.ConfigurableResource["NetworkResource"]):
    """The network that is taken in: where hosts are learned of, where DIDs are resolved, how hosts are asked."""


class IdentityResource(Identity, dg.ConfigurableResource["IdentityResource"]):
    """How the PLC directory is followed and how handles are asked for."""


class FirehoseResource(Firehose, dg.ConfigurableResource["FirehoseResource"]):
    """Which relays are followed, and within which bounds."""


class LabelsResource(Labels, dg.ConfigurableResource["LabelsResource"]):
    """How many labelers are followed, and within which bounds each."""


class ShardResource(Shards, dg.ConfigurableResource["ShardResource"]):
    """The sizes and limits of shards on their way."""
