"""DAG-CBOR by the AT Protocol's data model: decoded strictly or leniently, encoded canonically.

Links are plain bytes, as libipld gives them: **bytes that are 36 long and start with one of the two CID prefixes are
a link**, and `encode` writes them as one. A byte string of just that form can therefore not be told from a link once
decoded (one in 2**31 random strings of that length; none is known from the network). libipld's own encoder goes much
further, and takes for a link whatever parses as a CID of any kind, a fifth of all byte strings that start with 01
among them, signatures too. So encode with this module, never with libipld itself.

What libipld 3.5 decodes and the data model forbids (single and double floats, integers beyond 64 bits with a sign,
headers longer than needed, links of other forms, nesting beyond 32) is found by encoding again and by looking for
suspicious bytes, and named by `cbor_scan`.
"""

import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import cbor2
import libipld

from zeppelin_pipeline.atproto.cbor_pieces import ARRAY, BYTES, MAP, header, link
from zeppelin_pipeline.atproto.cbor_scan import MAX_DEPTH, find_faults
from zeppelin_pipeline.atproto.cid import is_cid_bytes
from zeppelin_pipeline.atproto.data_model import from_json, to_json
from zeppelin_pipeline.errors import InvalidDataError

__all__ = ["MAX_DEPTH", "decode", "decode_again", "decode_lenient", "encode", "from_json", "is_deep", "to_json"]

_LINK_TAG = b"\xd8\x2a"
_LINK_HEADS = (b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20", b"\xd8\x2a\x58\x25\x00\x01\x55\x12\x20")
_LINK_TAG_NUMBER = 42
_UNREADABLE = frozenset(("cbor-tag", "cbor-map-key", "cbor-duplicate-key"))
# Two patterns, since a search for one that starts with a class of bytes is ten times slower.
_find_large_positive = re.compile(rb"\x1b[\x80-\xff]").search
_find_large_negative = re.compile(rb"\x3b[\x80-\xff]").search
_INTEGER_LIMIT = 1 << 63
_CONTAINERS = frozenset((dict, list))
# All bytes but those that links, floats, large integers and containers start with.
_UNSUSPICIOUS = bytes(set(range(256)) - set(b"\xd8\xfa\xfb\x1b\x3b") - set(range(0x80, 0xC0)))


def decode(data: bytes | memoryview) -> Any:
    """Decode one block strictly.

    Returns:
        dicts with text keys, lists, text, int, bool, None, bytes; links as 36 bytes.

    Raises:
        InvalidDataError: the reasons of `cbor_scan.find_faults`; `cbor-malformed` when a text is not UTF-8.
    """
    block = bytes(data)
    try:
        value = libipld.decode_dag_cbor(block)
    except (ValueError, RecursionError) as error:
        faults = find_faults(block)
        raise InvalidDataError(faults[0] if faults else "cbor-malformed", str(error)[:200]) from error
    if _needs_scan(value, block) or not _is_own_encoding(value, block):
        _refuse_faults(block)
    return value


def decode_again(block: bytes) -> Any:
    """Decode a block that `decode` took before, as those are that the warehouse holds as valid: nothing is checked."""
    return libipld.decode_dag_cbor(block)


def decode_lenient(data: bytes | memoryview) -> tuple[Any, bool]:
    """Decode one block, and if it breaks the data model, read it all the same.

    Floats, undefined (as None), other simple values (as int), unsorted keys, indefinite lengths, headers longer than
    needed, large integers and links of other forms (as bytes) are read. Other tags are refused: what they stand for
    (shared and cyclic values, huge decimals) is a decoder's risk and no record's need.

    Returns:
        the value, and whether the block is strict.

    Raises:
        InvalidDataError: the block is not well-formed (`cbor-truncated`, `cbor-trailing`, `cbor-reserved`,
            `cbor-malformed`), too deep (`cbor-depth`), or has other tags (`cbor-tag`), keys twice
            (`cbor-duplicate-key`), or keys that are not text (`cbor-map-key`).
    """
    block = bytes(data)
    try:
        return decode(block), True
    except InvalidDataError:
        for fault in find_faults(block):
            if fault in _UNREADABLE:
                raise InvalidDataError(fault, "not readable leniently either") from None
    return _decode_with_cbor2(block), False


def encode(value: Any) -> bytes:
    """Encode canonically.

    Raises:
        InvalidDataError: the value is not of the data model: `cbor-float`, `cbor-integer`, `cbor-depth`, or
            `cbor-encode`.
    """
    try:
        block = libipld.encode_dag_cbor(value)
        if _has_odd_links(block):
            block = b"".join(_encode_slowly(value))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise InvalidDataError("cbor-encode", str(error)[:200]) from error
    if _needs_scan(value, block):
        _refuse_faults(block)
    return block


def is_deep(value: Any) -> bool:
    """Whether a decoded value is nested as deep as the data model allows, or deeper; in time linear in its size."""
    below = [value]
    for _ in range(MAX_DEPTH):
        layer = [item for item in below if type(item) in _CONTAINERS]
        if not layer:
            return False
        below = []
        for item in layer:
            below += item.values() if type(item) is dict else item
    return True


def _needs_scan(value: Any, block: bytes) -> bool:
    """Whether only a scan can tell. A look at the bytes spares most blocks one at their values, and that the scan."""
    marks = block.translate(None, _UNSUSPICIOUS)
    return (
        (_LINK_TAG[:1] in marks and _has_odd_links(block))
        or (_may_have_numbers(block, marks) and not _has_plain_numbers(value))
        # Every level takes a header; texts and hashes have such bytes too.
        or (len(marks) > MAX_DEPTH and is_deep(value))
    )


def _may_have_numbers(block: bytes, marks: bytes) -> bool:
    """Whether the bytes could hold a float or a large integer; texts and hashes often look as if."""
    if b"\xfa" in marks or b"\xfb" in marks:
        return True
    if b"\x1b" in marks and _find_large_positive(block):
        return True
    return b"\x3b" in marks and _find_large_negative(block) is not None


def _has_plain_numbers(value: Any) -> bool:
    """Whether there is no float and no large integer."""
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is dict:
            pending.extend(item.values())
        elif kind is list:
            pending += item
        elif kind is float or (kind is int and not -_INTEGER_LIMIT <= item < _INTEGER_LIMIT):
            return False
    return True


def _has_odd_links(block: bytes) -> bool:
    tags = block.count(_LINK_TAG)
    return tags > 0 and tags != block.count(_LINK_HEADS[0]) + block.count(_LINK_HEADS[1])


def _is_own_encoding(value: Any, block: bytes) -> bool:
    try:
        return libipld.encode_dag_cbor(value) == block
    except ValueError:
        return False


def _refuse_faults(block: bytes) -> None:
    faults = find_faults(block)
    if faults:
        raise InvalidDataError(faults[0], "the decoder lets it pass, the data model does not")


def _decode_with_cbor2(block: bytes) -> Any:
    try:
        value = cbor2.loads(
            block,
            tag_hook=_read_link,
            max_depth=2 * MAX_DEPTH,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except (cbor2.CBORError, ValueError) as error:
        reason = "cbor-duplicate-key" if "Duplicate map key" in str(error) else "cbor-malformed"
        raise InvalidDataError(reason, str(error)[:200]) from error
    return _without_library_types(value)


def _read_link(tag: cbor2.CBORTag, _immutable: bool) -> bytes:
    content = tag.value
    if tag.tag != _LINK_TAG_NUMBER or not isinstance(content, bytes):
        raise ValueError(f"tag {tag.tag} does not hold a link")
    return content.removeprefix(b"\0")


def _without_library_types(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_library_types(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_library_types(item) for item in value]
    if isinstance(value, cbor2.CBORSimpleValue):
        return value.value
    return None if value is cbor2.undefined else value


def _encode_slowly(value: Any) -> Iterator[bytes]:
    """Encode piece by piece, for values with byte strings that libipld's encoder takes for links."""
    if isinstance(value, bytes):
        if is_cid_bytes(value):
            yield link(value)
        else:
            yield header(BYTES, len(value)) + value
    elif isinstance(value, list):
        yield header(ARRAY, len(value))
        for item in value:
            yield from _encode_slowly(item)
    elif isinstance(value, dict):
        yield header(MAP, len(value))
        for key, item in sorted(
            ((libipld.encode_dag_cbor(key), item) for key, item in value.items()), key=itemgetter(0)
        ):
            yield key
            yield from _encode_slowly(item)
    else:
        yield libipld.encode_dag_cbor(value)
