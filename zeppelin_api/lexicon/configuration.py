"""Outputs of the methods that tell clients how the service is configured."""

from zeppelin_api.lexicon.base import LexiconObject, UnionMember, Unknown


class GetConfigOutput(LexiconObject):
    """`app.bsky.unspecced.getConfig`, with the field that the official service adds for its clients."""

    check_email_confirmed: bool | None = None
    topics_enabled: bool | None = None
    live_now: list[Unknown] | None = None


class TaggedSuggestion(LexiconObject):
    """`app.bsky.unspecced.getTaggedSuggestions#suggestion`."""

    tag: str
    subject_type: str
    subject: str


class GetTaggedSuggestionsOutput(LexiconObject):
    """`app.bsky.unspecced.getTaggedSuggestions`."""

    suggestions: list[TaggedSuggestion]


class AgeAssuranceConfig(UnionMember):
    """`app.bsky.ageassurance.defs#config`."""

    regions: list[Unknown]
