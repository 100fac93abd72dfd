"""Outputs of `com.atproto.*`."""

from zeppelin_api.lexicon.base import Label, LexiconObject, Unknown


class ResolveHandleOutput(LexiconObject):
    """`com.atproto.identity.resolveHandle`."""

    did: str


class ResolveDidOutput(LexiconObject):
    """`com.atproto.identity.resolveDid`."""

    did_doc: Unknown


class IdentityInfo(LexiconObject):
    """`com.atproto.identity.defs#identityInfo`."""

    did: str
    handle: str
    did_doc: Unknown


class GetRecordOutput(LexiconObject):
    """`com.atproto.repo.getRecord`."""

    uri: str
    cid: str
    value: Unknown


class SignedLabel(Label):
    """`com.atproto.label.defs#label` with what proves it."""

    ver: int
    sig: Unknown


class QueryLabelsOutput(LexiconObject):
    """`com.atproto.label.queryLabels`."""

    cursor: str | None = None
    labels: list[SignedLabel]
