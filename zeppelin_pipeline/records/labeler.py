"""Labelers (`app.bsky.labeler.service`): validated, and their columns."""

from typing import Any, Final

from zeppelin_pipeline.records.lexicon import (
    check_array,
    check_boolean,
    check_created_at,
    check_if_there,
    check_language,
    check_map,
    check_nsid,
    check_self_labels,
    check_text,
)

NSID: Final = "app.bsky.labeler.service"

#: The one record key that the collection has.
RKEY: Final = b"self"

#: Names of what `read_labeler` gives, in order.
COLUMNS: Final = ("label_values", "created_at")


def read_labeler(record: dict[str, Any]) -> tuple[list[str] | None, int]:
    """The columns of a labeler, by `COLUMNS`; the values that it says it uses are None where there are none.

    Raises:
        InvalidDataError: the record breaks its lexicon.
    """
    policies = check_map(record.get("policies"), "policies", "app.bsky.labeler.defs#labelerPolicies")
    values = [check_text(value, "label-value") for value in check_array(policies.get("labelValues"), "label-values")]
    for definition in check_array(policies.get("labelValueDefinitions", []), "label-definitions"):
        _check_definition(definition)
    check_if_there(record, "labels", check_self_labels)
    for reason in check_array(record.get("reasonTypes", []), "reason-types"):
        check_text(reason, "reason-type")
    for subject in check_array(record.get("subjectTypes", []), "subject-types"):
        check_text(subject, "subject-type")
    for collection in check_array(record.get("subjectCollections", []), "subject-collections"):
        check_nsid(collection, "subject-collection")
    return values or None, check_created_at(record)


def _check_definition(value: Any) -> None:
    definition = check_map(value, "label-definition", "com.atproto.label.defs#labelValueDefinition")
    check_text(definition.get("identifier"), "label-identifier", 100, 100)
    check_text(definition.get("severity"), "label-severity")
    check_text(definition.get("blurs"), "label-blurs")
    check_if_there(definition, "defaultSetting", check_text, "label-default-setting")
    check_if_there(definition, "adultOnly", check_boolean, "label-adult-only")
    for locale in check_array(definition.get("locales"), "label-locales"):
        strings = check_map(locale, "label-locale", "com.atproto.label.defs#labelValueDefinitionStrings")
        check_language(strings.get("lang"), "label-locale-lang")
        check_text(strings.get("name"), "label-locale-name", 640, 64)
        check_text(strings.get("description"), "label-locale-description", 100_000, 10_000)
