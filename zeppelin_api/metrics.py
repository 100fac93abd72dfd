"""What Prometheus reads: requests of this service, and the pipeline's state as the warehouse has it.

The pipeline's figures come from the warehouse, so that they stand while it is stopped, and whatever machine it runs on.
"""

import os
import time
from collections.abc import Generator, Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import Scope

from zeppelin_api.hydration.overview import Overview

#: Set for several workers: they keep their figures in files of this folder, and any of them answers for all.
MULTIPROCESS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS_SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_OTHER: Final = "other"

disable_created_metrics()  # a second series beside each, for what nobody asks


class RequestMetrics:
    """Counts and times of requests, by method and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ("method",)
        self._seconds = Histogram(
            "zeppelin_api_request_seconds", "Time to answer.", names, buckets=_BUCKETS_SECONDS, registry=self.registry
        )
        self._answers = Counter(
            "zeppelin_api_answers", "Answers by status.", (*names, "status"), registry=self.registry
        )
        self._running = Gauge(
            "zeppelin_api_running_requests", "Requests that are worked on.", registry=self.registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._of: dict[tuple[str, int], tuple[Histogram, Counter]] = {}

    def begin(self) -> float:
        """A request begins; gives the time to end it with."""
        self._running.inc()
        return time.perf_counter()

    def end(self, begun: float, route: str, status: int) -> None:
        """It was answered; its route as `route_of` gives it."""
        self._running.dec()
        seconds, answers = self._of.get((route, status)) or self._labelled(route, status)
        seconds.observe(time.perf_counter() - begun)
        answers.inc()

    def _labelled(self, route: str, status: int) -> tuple[Histogram, Counter]:
        """Those of a route and status; to look them up by their labels takes longer than to count."""
        method = route.removeprefix("/xrpc/")
        found = self._of[route, status] = (self._seconds.labels(method), self._answers.labels(method, status))
        return found

    def text(self, overview: Overview | None) -> bytes:
        """Everything in Prometheus' text format; without the warehouse's figures while it cannot be read."""
        registry = self.registry
        if os.environ.get(MULTIPROCESS_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        warehouse = CollectorRegistry()
        warehouse.register(_Warehouse(overview))
        return generate_latest(registry) + generate_latest(warehouse)


def route_of(scope: Scope) -> str:
    """The route's path with its placeholders: never what a client made up."""
    return getattr(scope.get("route"), "path", _OTHER)


class _Warehouse(Collector):
    """An overview as gauges; only whether it could be read when it could not."""

    def __init__(self, overview: Overview | None) -> None:
        self._overview = overview

    def collect(self) -> Iterable[Metric]:
        """One family a figure."""
        overview = self._overview
        readable = float(overview is not None)
        yield GaugeMetricFamily("zeppelin_api_warehouse_readable", "Whether the warehouse can be read.", readable)
        if overview is None:
            return
        yield _family("hosts", "Hosts by state.", "state", overview.hosts.items())
        yield _family("repositories", "Repositories by state.", "state", overview.repositories.items())
        yield _family("records", "Rows by table, estimated.", "table", overview.records.items())
        yield _family("rejected_entries", "Record entries set aside.", "reason", overview.rejected.items())
        yield _gauge("loaded_shards", "Shards in the ledger.", overview.shards)
        yield _gauge("loaded_entries", "Record entries of the loaded shards.", overview.entries)
        yield _gauge("resync_repositories", "Repositories that wait to be fetched again.", overview.resyncs)
        yield from _streams(overview)
        yield from _labelers(overview)
        yield from _aggregates(overview)


def _streams(overview: Overview) -> Generator[Metric]:
    streams, gauge, counter = overview.streams, GaugeMetricFamily, CounterMetricFamily
    for kind, name, text, values in (
        (gauge, "stream_lag_seconds", "Since the last applied event was sent.", [s.lag_seconds for s in streams]),
        (gauge, "stream_idle_seconds", "Since the cursor moved.", [s.silent_seconds for s in streams]),
        (counter, "stream_events", "Events applied in all.", [s.events for s in streams]),
        (counter, "stream_refused_events", "Events that did not verify.", [s.refused for s in streams]),
        (gauge, "stream_open_gaps", "Gaps not yet repaired.", [s.open_gaps for s in streams]),
    ):
        yield _family(name, text, "relay", zip((s.relay for s in streams), values, strict=True), kind)


def _labelers(overview: Overview) -> Generator[Metric]:
    labels = [(one.did, one.labels) for one in overview.labelers]
    yield _family("labeler_labels", "Labels held.", "labeler", labels)
    states = [(one.did, float(one.failure is None)) for one in overview.labelers]
    yield _family("labeler_up", "Whether its stream flowed when it was last looked at.", "labeler", states)
    looks = [
        (one.did, (overview.read_at - one.looked_at).total_seconds()) for one in overview.labelers if one.looked_at
    ]
    yield _family("labeler_look_age_seconds", "Since it was last looked at.", "labeler", looks)


def _aggregates(overview: Overview) -> Generator[Metric]:
    aggregates, now = overview.aggregates, overview.read_at
    ages = [(one.name, (now - one.oldest_at).total_seconds()) for one in aggregates]
    yield _family("aggregate_age_seconds", "Since the oldest range was recomputed.", "aggregate", ages)
    changed = [(one.name, one.changed_ranges) for one in aggregates]
    yield _family("aggregate_changed_ranges", "Ranges changed since.", "aggregate", changed)


def _family(
    name: str,
    text: str,
    label: str,
    values: Iterable[tuple[str, float]],
    kind: type[GaugeMetricFamily | CounterMetricFamily] = GaugeMetricFamily,
) -> Metric:
    family = kind(f"zeppelin_pipeline_{name}", text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"zeppelin_pipeline_{name}", text, value=value)
