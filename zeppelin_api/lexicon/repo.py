"""Outputs of `com.atproto.*`."""

from zeppelin_api.lexicon.base import LexiconObject, Unknown


class ResolveHandleOutput(LexiconObject):
    """`com.atproto.identity.resolveHandle`."""

    did: str


class GetRecordOutput(LexiconObject):
    """`com.atproto.repo.getRecord`."""

    uri: str
    cid: str
    value: Unknown
