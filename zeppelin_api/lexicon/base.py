"""What all shapes share: names in camel case, and unions told apart by `$type`."""

from typing import Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: A value whose shape another lexicon gives: a record as its author wrote it.
Unknown: TypeAlias = dict[str, Any]


class LexiconObject(BaseModel):
    """An object of a lexicon."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class UnionMember(LexiconObject):
    """An object that can stand in a union, where it names its type."""

    type: str | None = Field(None, alias="$type", description="Present where the lexicon has a union.")


class StrongRef(LexiconObject):
    """`com.atproto.repo.strongRef`: one version of a record."""

    uri: str
    cid: str


class Label(LexiconObject):
    """`com.atproto.label.defs#label`."""

    src: str
    uri: str
    cid: str | None = None
    val: str
    cts: str
    exp: str | None = None


def type_of(value: Any) -> str | None:
    """The `$type` of a union's member, for pydantic."""
    if isinstance(value, UnionMember):
        return value.type
    return value.get("$type") if isinstance(value, dict) else None
