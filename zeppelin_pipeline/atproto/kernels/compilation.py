"""How a kernel is compiled; no kernel itself. Where its machine code is kept is told in `machine_code`.

A kernel is compiled for one kind of each argument, which its annotations name. So there
is one version of it, whoever calls it, and an array of another kind is refused rather than compiled for. It is compiled
when it is first called, or read from the cache that an earlier process left; processes that start together take turns.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args

import numba
import numpy as np
from numba import types
from numba.core import config as numba_config

from zeppelin_pipeline.atproto.kernels.machine_code import Turns, cache_folder


def _array(kind: types.Type, dimensions: int = 1, *, is_written: bool = False) -> types.Array:
    """A contiguous array; one that is only read may be writable all the same."""
    return types.Array(kind, dimensions, "C", readonly=not is_written)


Array: TypeAlias = Any
"""A NumPy array in a part, of any kind; what indexing gives is a machine's number, for which Python has no type."""

Number: TypeAlias = "int | np.integer[Any]"
"""An integer of 64 bits with a sign in a kernel, whatever it is outside."""

# What kernels read, and, `…Out`, what they write.
Bytes: TypeAlias = Annotated[Any, _array(types.uint8)]
Int32s: TypeAlias = Annotated[Any, _array(types.int32)]
Int64s: TypeAlias = Annotated[Any, _array(types.int64)]
Uint64s: TypeAlias = Annotated[Any, _array(types.uint64)]
Spans: TypeAlias = Annotated[Any, _array(types.int64, 2)]
BytesOut: TypeAlias = Annotated[Any, _array(types.uint8, is_written=True)]
FlagsOut: TypeAlias = Annotated[Any, _array(types.boolean, is_written=True)]
Int16sOut: TypeAlias = Annotated[Any, _array(types.int16, is_written=True)]
Int32sOut: TypeAlias = Annotated[Any, _array(types.int32, is_written=True)]
Int64sOut: TypeAlias = Annotated[Any, _array(types.int64, is_written=True)]
Uint64sOut: TypeAlias = Annotated[Any, _array(types.uint64, is_written=True)]
ByteCubeOut: TypeAlias = Annotated[Any, _array(types.uint8, 3, is_written=True)]
Int32GridOut: TypeAlias = Annotated[Any, _array(types.int32, 2, is_written=True)]
Int64GridOut: TypeAlias = Annotated[Any, _array(types.int64, 2, is_written=True)]
Int64CubeOut: TypeAlias = Annotated[Any, _array(types.int64, 3, is_written=True)]

_Function = TypeVar("_Function", bound=Callable[..., Any])

_config: Any = numba_config  # its attributes are made while it is imported
_njit: Any = numba.njit  # its annotations leave out options that it has
_CACHE_FOLDER: Final = cache_folder()
_turns: Final = Turns(_CACHE_FOLDER)
_kernels: Final[dict[str, Callable[[], Any]]] = {}


def kernel(function: _Function) -> _Function:
    """A function compiled without the interpreter, kept for later processes; called with arrays and numbers only."""
    given = _config.CACHE_DIR
    _config.CACHE_DIR = str(_CACHE_FOLDER)  # is read while the decorator runs, and nowhere else
    try:
        compiled: Any = _njit(cache=True, nogil=True, no_cfunc_wrapper=True)(function)
    finally:
        _config.CACHE_DIR = given
    declared = tuple(_type_of(kind) for name, kind in function.__annotations__.items() if name != "return")
    compile_or_load = compiled.compile

    def compile_declared(asked: Any = declared) -> Any:
        for place, (kind, wanted) in enumerate(zip(asked, declared, strict=True)):
            if compiled.typingctx.can_convert(kind, wanted) is None:
                raise TypeError(f"{function.__name__}: argument {place} is {kind}, not {wanted}")
        with _turns.taken(function.__name__):
            if declared not in compiled.overloads:
                compile_or_load(declared)
                compiled.disable_compile()
        return compiled.overloads[declared].entry_point

    compiled.compile = compile_declared
    _kernels[function.__name__] = compile_declared
    return compiled


def compile_kernel(name: str) -> None:
    """Has a kernel compiled, or read from the cache, whose module is imported."""
    _kernels[name]()


def kernel_names() -> list[str]:
    """The kernels whose modules are imported, in the order of their definition: those that one calls come before it."""
    return list(_kernels)


def part(function: _Function) -> _Function:
    """A function that only kernels call: compiled into each of them, once for integers of all widths."""
    compiled: Any = _njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)
    compile_asked = compiled.compile
    compiled.compile = lambda asked: compile_asked(tuple(_widened(kind) for kind in asked))
    return compiled


def is_for_this_processor() -> bool:
    """Whether code is made for the very processor that runs, and may use all its instructions."""
    return not _config.CPU_NAME and not _config.CPU_FEATURES


def _type_of(annotation: Any) -> types.Type:
    """The type that an argument's annotation names."""
    if annotation is bool:
        return types.boolean
    if annotation is int or annotation == Number:
        return types.int64
    return get_args(annotation)[1]


def _widened(kind: types.Type) -> types.Type:
    """The integer of kernels for all that it holds, known values among them; another type as it is."""
    plain = types.unliteral(kind)
    is_held = isinstance(plain, types.Integer) and plain != types.uint64
    return types.int64 if is_held else plain
