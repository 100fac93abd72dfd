"""The tree of errors, and nothing else.

    ZeppelinError
    ├── InvalidDataError      bytes or text from outside break a rule: a reason, counted and kept; the run goes on
    ├── UpstreamError         a host refused or could not be reached: a type, and whether trying again can help
    ├── ConfigurationError    a setting is missing or contradicts another: tell the operator, end the process
    └── CorruptStateError     our own files or tables contradict themselves: name the place, end the run

The first two are values about the outside world and are handled near where they arise; the last two are never handled.
What hosts say is repeated in the first two, and these are stored: NUL, which no text of Postgres can hold, is replaced.
"""


class ZeppelinError(Exception):
    """Base of every error that this project raises on purpose."""


class InvalidDataError(ZeppelinError):
    """Data from outside that breaks a rule of the protocol.

    Attributes:
        reason: a stable kebab-case code that is stored and counted (`car-truncated`, `mst-order`).
        detail: what exactly was seen, for a person.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        reason, detail = _storable(reason), _storable(detail)
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["InvalidDataError"], tuple[str, str]]:
        return InvalidDataError, (self.reason, self.detail)


class UpstreamError(ZeppelinError):
    """A host, relay or directory that answered with an error or not at all.

    Attributes:
        reason: a stable kebab-case code (`not-found`, `takendown`, `timeout`, `http-503`).
        detail: the answer's own words, or the transport's.
        is_transient: whether the same request may succeed later.
        retry_after_seconds: what the host asked us to wait, if it said so.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        is_transient: bool,
        retry_after_seconds: float | None = None,
    ) -> None:
        reason, detail = _storable(reason), _storable(detail)
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.is_transient = is_transient
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(ZeppelinError):
    """A setting that is missing, malformed or contradicts another."""


class CorruptStateError(ZeppelinError):
    """Our own files or tables contradict themselves; the message names the place."""


def _storable(text: str) -> str:
    return text.replace("\0", "\ufffd")
