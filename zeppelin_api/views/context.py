"""What every view is made from, and the forms that all views share."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias, TypeGuard

from zeppelin_api.hydration.state import Hydration, JsonRecord
from zeppelin_api.policy import Policy
from zeppelin_api.views.media_urls import MediaUrls

#: An object of an answer.
View: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ViewContext:
    """Everything that views read.

    Attributes:
        state: what hydration found.
        urls: where images and videos are served.
        policy: what the service hides.
        now: the time of the answer.
        made: views of accounts and posts that were made already, as they stand in several places; never changed.
    """

    state: Hydration
    urls: MediaUrls
    policy: Policy
    now: datetime
    made: dict[tuple[Any, ...], View | None] = field(default_factory=dict[tuple[Any, ...], "View | None"])


def present(**fields: Any) -> View:
    """An object without the fields that are None: lexicons leave out what is not there, and never say null."""
    return {name: value for name, value in fields.items() if value is not None}


def typed(type_name: str, view: View) -> View:
    """A view as a member of a union."""
    return {"$type": type_name, **view}


def is_of_type(value: Any, type_name: str) -> TypeGuard[JsonRecord]:
    """Whether a record's part is an object that names this type."""
    return isinstance(value, dict) and value.get("$type") == type_name
