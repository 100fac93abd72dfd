"""Where randomness comes from: named streams that descend from the network's seed. Only here are generators made."""

import random
from hashlib import blake2b

import numpy as np


def seeded_bytes(seed: int, *labels: object, size: int = 32) -> bytes:
    """`size` bytes (at most 64) that depend on the seed and the labels alone."""
    text = "/".join(str(part) for part in (seed, *labels))
    return blake2b(text.encode(), digest_size=size, person=b"devnet").digest()


def stream(seed: int, *labels: object) -> np.random.Generator:
    """A generator of its own for the labels: draws from one stream never shift another."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(seeded_bytes(seed, *labels, size=16), "big")))


def dice(seed: int, *labels: object) -> random.Random:
    """The same for draws one by one, at a twentieth of the cost."""
    return random.Random(seeded_bytes(seed, *labels))


def seeded_fraction(*labels: object) -> float:
    """A number in [0, 1) fixed by the labels, for choices that must not depend on the seed (faults by DID)."""
    return int.from_bytes(seeded_bytes(0, *labels, size=8), "big") / 2**64
