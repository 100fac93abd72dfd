"""Labels into the warehouse: of each subject, value and version the latest wins, in whatever order they come."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import TupleRow

from zeppelin_pipeline.atproto.datetimes import time_of
from zeppelin_pipeline.atproto.labels import Label
from zeppelin_pipeline.firehose.cursors import HeldStream, advance
from zeppelin_pipeline.labels.messages import LabelBatch, RefusedLabel
from zeppelin_pipeline.warehouse.keys import KeySpace
from zeppelin_pipeline.warehouse.queries import load_queries


class LabelKey(NamedTuple):
    """What there is one label of, but for its labeler: subject, value, and version."""

    actor_id: int
    collection: int
    rkey: int
    value: str
    cid: bytes


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """What one labeler may fill.

    Attributes:
        rows: of the table; labels beyond are refused, those that replace others are taken.
        quarantine: refused labels that are kept; all are counted.
    """

    rows: int = 50_000_000
    quarantine: int = 1_000


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What became of a batch: labels that count anew, those that a later one outdoes, those refused, by reason."""

    written: int
    outdone: int
    refused: dict[str, int]


def rank(label: Label) -> tuple[int, bool, bytes]:
    """In which order labels of one key outdo each other: by time; of one time a negation, then the greater bytes."""
    return label.created_micros, label.is_negated, label.encode()


def fold(labels: Iterable[Label], keys: KeySpace) -> tuple[dict[LabelKey, Label], list[Label]]:
    """The label that stands of each key, and those whose subject is neither an account nor a record."""
    standing: dict[LabelKey, Label] = {}
    aimless: list[Label] = []
    for label in labels:
        subject = keys.label_subject(label.uri)
        if subject is None:
            aimless.append(label)
            continue
        key = LabelKey(*subject, label.value, label.cid)
        held = standing.get(key)
        if held is None or rank(held) < rank(label):
            standing[key] = label
    return standing, aimless


def merge_batch(
    connection: Connection[TupleRow],
    keys: KeySpace,
    held: HeldStream,
    labeler: int,
    batch: LabelBatch,
    limits: LabelLimits,
) -> MergeResult:
    """Writes a batch and the cursor behind it, in one transaction.

    Raises:
        FencedError: another consumer follows the labeler by now; nothing is written.
    """
    standing, aimless = fold(batch.labels, keys)
    refused = [*batch.refused, *_refused(aimless, batch, "label-subject", len(batch.refused))]
    with connection.transaction():
        advance(connection, held, batch.seq, batch.frames, None)
        known = _known(connection, labeler, standing)
        room = max(limits.rows - _rows(connection, labeler), 0)
        new = [key for key in standing if key not in known]
        beyond = [standing.pop(key) for key in new[room:]]
        refused += _refused(beyond, batch, "label-rows", len(refused))
        written = _write(connection, labeler, standing)
        connection.execute(load_queries()["count_label_rows"], {"actor": labeler, "rows": min(len(new), room)})
        _set_aside(connection, held, labeler, refused, limits)
    return MergeResult(written, len(batch.labels) - len(aimless) - len(beyond) - written, _by_reason(refused))


def _refused(labels: Iterable[Label], batch: LabelBatch, reason: str, start: int) -> list[RefusedLabel]:
    """Labels refused after their frames were read: counted from a place that no label of a frame has."""
    return [
        RefusedLabel(batch.seq or 0, -1 - start - number, reason, label.encode()) for number, label in enumerate(labels)
    ]


def _by_reason(refused: Iterable[RefusedLabel]) -> dict[str, int]:
    return dict(Counter(each.reason for each in refused))


def _columns(keys: Iterable[LabelKey]) -> dict[str, list[object]]:
    rows = list(keys)
    names = ("actors", "collections", "rkeys", "values", "cids")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _known(connection: Connection[TupleRow], labeler: int, standing: Iterable[LabelKey]) -> set[LabelKey]:
    rows = connection.execute(load_queries()["known_labels"], {"labeler": labeler, **_columns(standing)})
    return {LabelKey(row[0], row[1], row[2], row[3], bytes(row[4])) for row in rows}


def _rows(connection: Connection[TupleRow], labeler: int) -> int:
    row = connection.execute(load_queries()["labeler_rows"], {"actor": labeler}).fetchone()
    return 0 if row is None else row[0]


def _write(connection: Connection[TupleRow], labeler: int, standing: dict[LabelKey, Label]) -> int:
    labels = standing.values()
    return connection.execute(
        load_queries()["merge_labels"],
        {
            "labeler": labeler,
            **_columns(standing),
            "created_at": [time_of(label.created_micros) for label in labels],
            "expires_at": [None if label.expires_micros is None else time_of(label.expires_micros) for label in labels],
            "negated": [label.is_negated for label in labels],
            "raws": [label.encode() for label in labels],
        },
    ).rowcount


def _set_aside(
    connection: Connection[TupleRow],
    held: HeldStream,
    labeler: int,
    refused: Sequence[RefusedLabel],
    limits: LabelLimits,
) -> None:
    if not refused:
        return
    counts = _by_reason(refused)
    last = {each.reason: each.seq for each in refused}
    connection.execute(
        load_queries()["count_rejected_events"],
        {
            **held.name.parameters,
            "reasons": list(counts),
            "events": list(counts.values()),
            "dids": [None] * len(counts),
            "seqs": [last[reason] for reason in counts],
            "details": [None] * len(counts),
        },
    )
    connection.execute(
        load_queries()["reject_labels"],
        {
            "actor": labeler,
            "limit": limits.quarantine,
            "seqs": [each.seq for each in refused],
            "positions": [each.position for each in refused],
            "reasons": [each.reason for each in refused],
            "raws": [each.raw for each in refused],
        },
    )
