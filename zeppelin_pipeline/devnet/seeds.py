"""Where randomness comes from: bytes and numbers that descend from the network's seed, by name."""

from hashlib import blake2b


def seeded_bytes(seed: int, *labels: object, size: int = 32) -> bytes:
    """`size` bytes (at most 64) that depend on the seed and the labels alone."""
    text = "/".join(str(part) for part in (seed, *labels))
    return blake2b(text.encode(), digest_size=size, person=b"devnet").digest()


def seeded_fraction(*labels: object) -> float:
    """A number in [0, 1) fixed by the labels, for choices that must not depend on the seed (faults by DID)."""
    return int.from_bytes(seeded_bytes(0, *labels, size=8), "big") / 2**64
