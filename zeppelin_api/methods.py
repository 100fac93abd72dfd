"""How a method is called: its parameters read from the query, what it needs beside them, and its answer.

The framework documents the methods; it does not call them. What it does for a request is several times the work of
most methods: here a method is found by its path in a dictionary, and its parameters are read by validators that are
made once.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin
from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from zeppelin_api.errors import FORESEEN, error_response, invalid_parameter, translate
from zeppelin_api.labelers import CONTENT_HEADER
from zeppelin_api.service import Service, ServiceDep, SessionDep, SessionsDep, sessions_of

_CONTENT_HEADER: Final = CONTENT_HEADER.encode()
Handler = Callable[..., Awaitable[Response]]
#: What the official service takes for a number and for a truth value; the validators would take more.
_FORMS: Final[Mapping[object, re.Pattern[str]]] = {int: re.compile(r"-?[0-9]+"), bool: re.compile("true|false")}
#: A list's parameter as some clients write it.
_BRACKETS: Final = re.compile(r"\[[0-9]*\]$")


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter of the query.

    Attributes:
        name: in the lexicon.
        read: a text, or the texts of a list, to the value.
        form: that a text must have; None for any.
        is_list: it may be given several times.
        is_required: it has no default.
    """

    name: str
    read: Callable[[Any], Any]
    form: re.Pattern[str] | None
    is_list: bool
    is_required: bool

    def value(self, texts: list[str]) -> Any:
        """The value of what was given; raises ApiError when it is none."""
        if self.form is not None and not self.form.fullmatch(texts[0]):
            raise invalid_parameter(self.name, f"must be {self.form.pattern}")
        if len(texts) > 1 and not self.is_list:
            raise invalid_parameter(self.name, "given more than once")
        try:
            return self.read(texts if self.is_list else texts[0])
        except ValidationError as error:
            raise invalid_parameter(self.name, error.errors()[0]["msg"]) from error


class Method:
    """One method: a handler with its parameters and needs."""

    def __init__(self, route: APIRoute) -> None:
        """A route whose handler takes parameters of the query, and what `service.py` provides."""
        self.route = route
        self._handler: Handler = route.endpoint
        self._parameters: list[_Parameter] = []
        names: dict[object, str] = {}
        for parameter in inspect.signature(self._handler).parameters.values():
            if parameter.annotation in _PROVIDED:
                names[parameter.annotation] = parameter.name
            else:
                self._parameters.append(_parameter(parameter))
        self._service, self._request = names.get(ServiceDep), names.get(Request)
        self._session, self._sessions = names.get(SessionDep), names.get(SessionsDep)

    async def answer(self, service: Service, scope: Scope, receive: Receive) -> Response:
        """What the method answers; raises what the handler raises, and ApiError for a bad parameter."""
        arguments = self._read(scope["query_string"])
        if self._service is not None:
            arguments[self._service] = service
        if self._request is not None:
            arguments[self._request] = Request(scope, receive)
        if self._session is None and self._sessions is None:
            return await self._handler(**arguments)
        sessions = sessions_of(service, scope["headers"])
        if self._sessions is not None:
            arguments[self._sessions] = sessions
        if self._session is None:
            response = await self._handler(**arguments)
        else:
            async with sessions() as session:
                arguments[self._session] = session
                response = await self._handler(**arguments)
        if sessions.labelers is not None:
            response.raw_headers.append((_CONTENT_HEADER, sessions.labelers.header.encode()))
        return response

    def _read(self, query: bytes) -> dict[str, Any]:
        """The arguments that are given; an empty one is none, as to the official service."""
        given = given_texts(query)
        arguments: dict[str, Any] = {}
        for parameter in self._parameters:
            texts = given.get(parameter.name)
            if texts is not None:
                arguments[parameter.name] = parameter.value(texts)
            elif parameter.is_required:
                raise invalid_parameter(parameter.name, "Field required")
        return arguments


def given_texts(query: bytes) -> dict[str, list[str]]:
    """What `urllib.parse.parse_qs` gives, at half of its cost; but `uris[]=` and `uris[0]=` are of `uris`."""
    given: dict[str, list[str]] = {}
    if not query:
        return given
    for pair in query.decode("latin-1").split("&"):
        name, _, value = pair.partition("=")
        if value:
            name = _unquoted(name)
            if name.endswith("]"):
                name = _BRACKETS.sub("", name)
            given.setdefault(name, []).append(_unquoted(value))
    return given


def _unquoted(text: str) -> str:
    plain = text.replace("+", " ").replace("%3A", ":").replace("%2F", "/")  # all that DIDs and AT URIs have
    return unquote_to_bytes(plain).decode(errors="replace") if "%" in plain else plain


_PROVIDED: Final = (ServiceDep, SessionDep, SessionsDep, Request)


def _parameter(parameter: inspect.Parameter) -> _Parameter:
    validator = TypeAdapter[Any](parameter.annotation).validator
    return _Parameter(
        parameter.name,
        validator.validate_python,
        _FORMS.get(_scalar(parameter.annotation)),
        _is_list(parameter.annotation),
        parameter.default is inspect.Parameter.empty,
    )


def _scalar(annotation: Any) -> Any:
    """The type that an annotation is of, whatever else it says."""
    return _scalar(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def _is_list(annotation: Any) -> bool:
    """Whether an annotation is of a list, or of a list or nothing."""
    match get_origin(annotation):
        case kind if kind is Annotated:
            return _is_list(get_args(annotation)[0])
        case kind if kind in {Union, UnionType}:
            return any(map(_is_list, get_args(annotation)))
        case kind:
            return kind is list


class Methods:
    """Answers the methods, and all that has one path, and passes on the rest. Plain ASGI."""

    def __init__(self, app: ASGIApp, service: Service, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._service = service
        self._methods = {
            each.path: Method(each) for each in routes if isinstance(each, APIRoute) and not each.param_convertors
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = self._methods.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if method is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = method.route
        try:
            response = await method.answer(self._service, scope, receive)
        except FORESEEN as error:
            response = error_response(translate(error))
        except Exception as error:
            await error_response(translate(error))(scope, receive, send)
            raise  # the server writes it down
        await response(scope, receive, send)
