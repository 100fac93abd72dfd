"""What clients are told as the operator's settings have it."""

from typing import Final

from starlette.responses import Response

from zeppelin_api.lexicon.configuration import AgeAssuranceConfig, GetConfigOutput, GetTaggedSuggestionsOutput
from zeppelin_api.responses import json_response
from zeppelin_api.routers.xrpc import XrpcRouter
from zeppelin_api.service import ServiceDep
from zeppelin_api.views.context import typed

unspecced_router: Final = XrpcRouter("app.bsky.unspecced")
ageassurance_router: Final = XrpcRouter("app.bsky.ageassurance")
_CONFIG: Final = json_response({"checkEmailConfirmed": False, "topicsEnabled": False})


@unspecced_router.query("getConfig", GetConfigOutput)
async def get_config() -> Response:
    """Get miscellaneous runtime configuration: there are no e-mails to confirm here, and nobody curates topics."""
    return _CONFIG


@unspecced_router.query("getTaggedSuggestions", GetTaggedSuggestionsOutput)
async def get_tagged_suggestions(service: ServiceDep) -> Response:
    """Get a list of suggestions (feeds and users) tagged with categories: those of the operator's settings."""
    return json_response({"suggestions": service.settings.tagged_suggestions})


@ageassurance_router.query("getConfig", AgeAssuranceConfig)
async def get_age_assurance_config(service: ServiceDep) -> Response:
    """Returns Age Assurance configuration for use on the client: the regions of the operator's settings."""
    config = {"regions": service.settings.age_assurance_regions}
    return json_response(typed("app.bsky.ageassurance.defs#config", config))
