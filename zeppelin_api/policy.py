"""What the service hides that is not gone: the choices of its operator."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices that the official service makes otherwise.

    Attributes:
        third_party_blocks_hide: whether a block between two other accounts hides what one says to the other.
        detached_quotes_hide: whether an author can detach their post from its quotes.
    """

    third_party_blocks_hide: bool = False
    detached_quotes_hide: bool = False
