"""Named streams of random numbers that descend from the network's seed. Only here are generators made."""

import random

import numpy as np

from zeppelin_pipeline.devnet.seeds import seeded_bytes


def stream(seed: int, *labels: object) -> np.random.Generator:
    """A generator of its own for the labels: draws from one stream never shift another."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(seeded_bytes(seed, *labels, size=16), "big")))


def dice(seed: int, *labels: object) -> random.Random:
    """The same for draws one by one, at a twentieth of the cost."""
    return random.Random(seeded_bytes(seed, *labels))
