"""Base58 with Bitcoin's alphabet, as multibase `z` uses it for keys.

For short inputs only: the time is quadratic in the length.
"""

from zeppelin_pipeline.errors import InvalidDataError

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}


def base58_encode(data: bytes) -> str:
    """Return the text of the bytes; each leading zero byte becomes a leading `1`."""
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def base58_decode(text: str) -> bytes:
    """Return the bytes of the text.

    Raises:
        InvalidDataError: `key-syntax` for a character outside of the alphabet.
    """
    number = 0
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise InvalidDataError("key-syntax", f"character {character!r} is not of base58")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
