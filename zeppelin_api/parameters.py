"""Parameters of methods, checked by the formats of the lexicons."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

from fastapi import Query
from pydantic import AfterValidator, WithJsonSchema

from zeppelin_pipeline.atproto import syntax


def _of_format(name: str, is_valid: Callable[[str], bool]) -> tuple[AfterValidator, WithJsonSchema]:
    def check(text: str) -> str:
        if not is_valid(text):
            raise ValueError(f"must be a valid {name}")
        return text

    return AfterValidator(check), WithJsonSchema({"type": "string", "format": name})


AtIdentifier: TypeAlias = Annotated[str, *_of_format("at-identifier", syntax.is_at_identifier)]
Did: TypeAlias = Annotated[str, *_of_format("did", syntax.is_did)]
Handle: TypeAlias = Annotated[str, *_of_format("handle", syntax.is_handle)]
AtUriText: TypeAlias = Annotated[str, *_of_format("at-uri", syntax.is_at_uri)]
CidText: TypeAlias = Annotated[str, *_of_format("cid", syntax.is_cid)]
Nsid: TypeAlias = Annotated[str, *_of_format("nsid", syntax.is_nsid)]
RecordKeyText: TypeAlias = Annotated[str, *_of_format("record-key", syntax.is_record_key)]

#: Rows of a page.
Limit: TypeAlias = Annotated[int, Query(ge=1, le=100)]
#: Where a page starts: the `cursor` of the page before.
Cursor: TypeAlias = Annotated[str | None, Query()]
#: The most identifiers that one call may name.
MAX_IDENTIFIERS = 25
