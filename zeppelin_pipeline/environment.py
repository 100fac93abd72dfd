"""How settings are read from the environment, by both services; which settings there are is not here.

Lists are written with commas, objects as JSON. What is malformed is refused by the name of its variable.
"""

import json
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AliasChoices, BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from zeppelin_pipeline.errors import ConfigurationError

POSTGRES_SCHEMES: Final = frozenset({"postgresql", "postgres"})

Value = TypeVar("Value")


def _split_at_commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _read_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"must be JSON: {error}") from error


Listed = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_at_commas)]
FromJson = Annotated[Value, NoDecode, BeforeValidator(_read_json)]


def checked_url(value: str, schemes: frozenset[str]) -> str:
    """The URL; ValueError when it has another scheme or no host."""
    parts = urlsplit(value)
    if parts.scheme not in schemes:
        raise ValueError(f"must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}")
    if not parts.netloc:
        raise ValueError("has no host")
    return value


class EnvironmentSettings(BaseSettings):
    """The settings of one process, read once, never changed."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    @classmethod
    def load(cls, **given: Any) -> Self:
        """The settings of the environment, with some given outright.

        Raises:
            ConfigurationError: a value is missing, malformed or out of bounds; the message names each variable.
        """
        try:
            return cls(**given)
        except ValidationError as error:
            faults = (f"{cls._at(fault['loc'])}: {_words(fault['msg'])}" for fault in error.errors())
            raise ConfigurationError("; ".join(faults)) from error

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field: the prefix and its name, unless it is another service's."""
        alias = cls.model_fields[field].validation_alias if field in cls.model_fields else None
        if isinstance(alias, AliasChoices):
            return str(alias.choices[0])
        return f"{cls.model_config.get('env_prefix', '')}{field.upper()}"

    @classmethod
    def _at(cls, place: tuple[int | str, ...]) -> str:
        """The variable of a fault, which is told by its field or by its alias, and where in it."""
        first, *within = map(str, place)
        variable = first if first.isupper() else cls.variable(first)
        return ".".join([variable, *within])

    @classmethod
    def describe(cls) -> list[tuple[str, str, str]]:
        """Each variable, its default as it would be written, and what it is for."""
        return [
            (
                cls.variable(name),
                "" if field.is_required() else as_text(field.get_default()),
                field.description or "",
            )
            for name, field in cls.model_fields.items()
        ]


def _words(message: str) -> str:
    """What a validator of ours said, without what the library puts before it."""
    return message.removeprefix("Value error, ")


def as_text(value: object) -> str:
    """A value as an environment variable; empty for None, which counts as unset."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return json.dumps(value) if value else ""
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)
