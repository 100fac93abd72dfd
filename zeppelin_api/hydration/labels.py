"""Labels that labelers put on what an answer shows; those that authors put on their own records are in the records."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from zeppelin_api.db import Session
from zeppelin_api.hydration.keys import PROFILE, SELF_RKEY, uri_of
from zeppelin_api.hydration.state import Hydration, Label
from zeppelin_api.labelers import Labelers
from zeppelin_pipeline.atproto import dag_cbor

#: Labels that say that something is not to be served at all.
TAKEDOWNS: Final = ("!takedown", "!suspend")
#: A label that keeps posts out of threads and lists of quotes until somebody has looked at them; not shown itself.
NEEDS_REVIEW: Final = "needs-review"

#: An account with this label is verified by nobody.
IMPERSONATION: Final = "impersonation"


@dataclass(frozen=True, slots=True)
class _LabelRow:
    value: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class _DidRow:
    did: str


async def load_labeler_dids(session: Session) -> list[str]:
    """Every account that is a labeler; one query."""
    return [row.did for row in await session.rows(_DidRow, "get_labelers")]


async def labels_for(session: Session, subjects: Iterable[str], labelers: Labelers) -> dict[str, list[Label]]:
    """The labels that stand on accounts (by DID) and records (by URI), by subject; one query, none without labelers.

    Negated and expired ones are not among them; takedowns of labelers whose takedowns are enacted are.
    """
    if not labelers.has_any:
        return {}
    keys = {key for uri in subjects if (key := session.keys.label_subject(uri)) is not None}
    if not keys:
        return {}
    actors, collections, rkeys = zip(*keys, strict=True)
    rows = await session.rows(
        _LabelRow,
        "get_labels",
        actors=list(actors),
        collections=list(collections),
        rkeys=list(rkeys),
        labelers=[session.keys.actor_id(did) for did in labelers.dids],
        enforced=[session.keys.actor_id(did) for did in labelers.enforced],
        takedowns=list(TAKEDOWNS),
    )
    found: dict[str, list[Label]] = {}
    for row in rows:
        fields: dict[str, Any] = dag_cbor.to_json(dag_cbor.decode(row.raw))
        found.setdefault(fields["uri"], []).append(Label(row.value, fields))
    return found


async def hydrate_labels(session: Session, state: Hydration, *further: str) -> None:
    """Put the labels of all that was found, and of further subjects, into the state; at most one query.

    It may be called again after more was found: what was asked for once is not asked for again.
    """
    labelers = session.labelers
    if not labelers.has_any:
        return
    subjects = {*further, *_subjects(state)} - state.labelled
    state.labelled |= subjects
    for uri, labels in (await labels_for(session, subjects, labelers)).items():
        under_review = [label for label in labels if label.value == NEEDS_REVIEW and label.src in labelers.redact]
        state.labels[uri] = [label for label in labels if label.src in labelers.dids and label not in under_review]
        if under_review:
            state.under_review.add(uri)
        if any(label.value in TAKEDOWNS and label.src in labelers.redact | labelers.enforced for label in labels):
            state.taken_down.add(uri)
        if any(label.value == IMPERSONATION and label.src in labelers.redact for label in labels):
            state.impersonators.add(uri)
    _empty_profiles(state)


def _subjects(state: Hydration) -> Iterable[str]:
    yield from state.posts
    yield from state.records
    for did in state.accounts:
        yield did
        yield uri_of(did, PROFILE, SELF_RKEY)
    for account in state.accounts.values():
        if account.live_status is not None:
            yield account.live_status.uri


def _empty_profiles(state: Hydration) -> None:
    """An account whose profile alone was taken down is shown without it."""
    for did, account in state.accounts.items():
        if account.profile is not None and uri_of(did, PROFILE, SELF_RKEY) in state.taken_down:
            state.accounts[did] = replace(account, profile=None, profile_cid=None)
