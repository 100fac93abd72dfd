"""What keeps endless work going as runs that end: when another run is due, and the requests of those that are.

A run ends by itself after its time; the next is started a little before, and stands by until it can take over. A run
that dies is replaced. What is followed, and how, is not here.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from zeppelin_pipeline.defs.run_states import UNFINISHED

#: How long before a run's end the next one is started: a run is up within half of it.
OVERLAP_SECONDS: Final = 60.0
#: What a run follows.
FOLLOWED_TAG: Final = "zeppelin/followed"
#: The instance limits how many runs of a kind there are at once.
KIND_TAG: Final = "zeppelin/kind"


def run_tags(kind: str) -> dict[str, str]:
    """Tags of a job that follows: no retries, as the sensor replaces its runs; before backfills."""
    return {"dagster/max_retries": "0", "dagster/priority": "10", KIND_TAG: kind}


def needs_run(ages: Sequence[float], run_seconds: float, overlap_seconds: float = OVERLAP_SECONDS) -> bool:
    """Whether another run is needed.

    Args:
        ages: of the unfinished runs, in seconds.
        run_seconds: after which a run ends.
        overlap_seconds: before its end the next one begins.
    """
    return not ages or (len(ages) == 1 and ages[0] >= max(run_seconds - overlap_seconds, run_seconds / 2))


def keep_running(
    context: dg.SensorEvaluationContext, kind: str, job: str, configs: Mapping[str, dg.RunConfig], run_seconds: float
) -> dg.SensorResult | dg.SkipReason:
    """A run for each thing that needs one; its key has a number that only rises, so that a dead one is not the last.

    Args:
        context: the sensor's; its cursor is kept here.
        kind: the first word of the runs' keys.
        job: whose runs are looked at.
        configs: of a run, by what it follows.
        run_seconds: after which a run ends.
    """
    numbers: dict[str, int] = json.loads(context.cursor or "{}")
    requests: list[dg.RunRequest] = []
    for followed, config in configs.items():
        if needs_run(_unfinished_ages(context.instance, job, followed), run_seconds):
            numbers[followed] = numbers.get(followed, 0) + 1
            key = f"{kind}-{followed}-{numbers[followed]}"
            requests.append(dg.RunRequest(run_key=key, run_config=config, tags={FOLLOWED_TAG: followed}))
    if not requests:
        return dg.SkipReason(f"followed: {', '.join(configs)}")
    return dg.SensorResult(run_requests=requests, cursor=json.dumps(numbers))


def _unfinished_ages(instance: dg.DagsterInstance, job: str, followed: str) -> list[float]:
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job, tags={FOLLOWED_TAG: followed}, statuses=list(UNFINISHED))
    )
    now = datetime.now(UTC).timestamp()
    return [now - (record.start_time or record.create_timestamp.timestamp()) for record in records]
