"""What the network's labeler says: on accounts and posts, some of it taken back, some of it over. Fixed by the seed."""

from typing import Any, Final

import numpy as np

from zeppelin_pipeline.atproto.crypto import PrivateKey
from zeppelin_pipeline.atproto.syntax import format_datetime
from zeppelin_pipeline.devnet.index import NetworkIndex
from zeppelin_pipeline.devnet.labeler import DevnetLabeler
from zeppelin_pipeline.devnet.model import LAST_MICROS
from zeppelin_pipeline.devnet.seeds import seeded_bytes

STANDING: Final = "bread"
TAKEN_BACK: Final = "spam"
OVER: Final = "porn"
_SECOND_MICROS: Final = 1_000_000


def make_labeler(index: NetworkIndex, url: str) -> DevnetLabeler:
    """The first account, which has the record of a labeler in every network."""
    key = PrivateKey.from_bytes("k256", seeded_bytes(index.population.config.seed, "label-key"))
    return DevnetLabeler(index.population.accounts[0].did, key, url)


def label_network(labeler: DevnetLabeler, index: NetworkIndex, count: int) -> dict[str, list[str]]:
    """Has the labeler label so many accounts and posts; gives the values that stand, by subject.

    Of three subjects one has a label alone, one has another that is taken back, one has another that is over.
    """
    subjects = _subjects(index, count)
    for place, subject in enumerate(subjects):
        micros = LAST_MICROS + place * _SECOND_MICROS
        labeler.publish(_labels(labeler, subject, place % 3, micros))
        if place % 3 == 1:
            taken_back = format_datetime(micros + _SECOND_MICROS)
            labeler.publish([labeler.label(subject, TAKEN_BACK, cts=taken_back, neg=True)])
    return {subject: [STANDING] for subject in subjects}


def _labels(labeler: DevnetLabeler, subject: str, kind: int, micros: int) -> list[dict[str, Any]]:
    cts = format_datetime(micros)
    labels = [labeler.label(subject, STANDING, cts=cts)]
    if kind == 1:
        labels.append(labeler.label(subject, TAKEN_BACK, cts=cts))
    elif kind == 2:
        labels.append(labeler.label(subject, OVER, cts=cts, exp=format_datetime(micros + _SECOND_MICROS)))
    return labels


def _subjects(index: NetworkIndex, count: int) -> list[str]:
    """Half of them accounts, the others posts from all of the network's time; of active accounts alone."""
    accounts = index.population.accounts
    dids = [account.did for account in accounts[1:] if account.is_active][: count - count // 2]
    is_active = np.array([account.is_active for account in accounts])
    posts = np.flatnonzero(is_active[index.posts.author] & ~index.posts.is_odd)
    chosen = posts[:: max(len(posts) // max(count // 2, 1), 1)][: count // 2]
    return dids + [index.post_ref(int(number))["uri"] for number in chosen]
