"""Outputs of the methods that tell clients how the service is configured."""

from zeppelin_api.lexicon.base import LexiconObject, Unknown


class GetConfigOutput(LexiconObject):
    """`app.bsky.unspecced.getConfig`, with the field that the official service adds for its clients."""

    check_email_confirmed: bool | None = None
    topics_enabled: bool | None = None
    live_now: list[Unknown] | None = None


class AgeAssuranceConfig(LexiconObject):
    """`app.bsky.ageassurance.defs#config`."""

    regions: list[Unknown]
