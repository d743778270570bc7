"""Typed reading of JSON values, with serde's wording for what does not fit.

TGI answers a body of the wrong shape with plain-text 422: axum's sentence, the path, serde's reason. (serde
also adds a line and column, which are not known here.) Numbers are rounded to f32 as in TGI, so its limits
meet the same values.
"""

import math
import struct
from collections.abc import Callable
from typing import TypeVar

import orjson

from cpu_engine.tgi.errors import BodyError

_F32_MAX = 3.4028234663852886e38

T = TypeVar("T")


def parse_json(body: bytes) -> object:
    """Parse a request body.

    Raises:
        BodyError: 400, it is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(400, f"Failed to parse the request body as JSON: {error}") from None


def wrong_shape(path: str, reason: str) -> BodyError:
    """The 422 for a value at `path` (empty: the whole body)."""
    where = f"{path}: " if path else ""
    return BodyError(422, f"Failed to deserialize the JSON body into the target type: {where}{reason}")


class Fields:
    """A JSON object whose fields are read by name; unknown keys are ignored, as serde does.

    Args:
        value: what should be an object.
        struct_name: TGI's name for it.
        path: where it is in the body.
    """

    def __init__(self, value: object, struct_name: str, path: str = "") -> None:
        if not isinstance(value, dict):
            raise wrong_type(value, f"struct {struct_name}", path)
        self.values: dict[str, object] = value
        self.path = path

    def at(self, key: str) -> str:
        """Path of the field `key`."""
        return f"{self.path}.{key}" if self.path else key

    def required(self, key: str, read: Callable[[object, str], T]) -> T:
        """The field, which must be there."""
        if key not in self.values:
            raise wrong_shape(self.path, f"missing field `{key}`")
        return read(self.values[key], self.at(key))

    def optional(self, key: str, read: Callable[[object, str], T]) -> T | None:
        """The field, or None when it is absent or null."""
        value = self.values.get(key)
        return None if value is None else read(value, self.at(key))

    def flag(self, key: str) -> bool:
        """A boolean that is False when absent; null is refused, as serde does for a plain bool."""
        return boolean(self.values.get(key, False), self.at(key))


def wrong_type(value: object, expected: str, path: str) -> BodyError:
    """`invalid type: string "x", expected f32`."""
    return wrong_shape(path, f"invalid type: {_describe(value)}, expected {expected}")


def _describe(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return f"string {orjson.dumps(value).decode()}"
    return "map" if isinstance(value, dict) else "sequence"


def string(value: object, path: str) -> str:
    """A JSON string."""
    if not isinstance(value, str):
        raise wrong_type(value, "a string", path)
    return value


def boolean(value: object, path: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise wrong_type(value, "a boolean", path)
    return value


def sequence(value: object, path: str) -> list[object]:
    """A JSON array."""
    if not isinstance(value, list):
        raise wrong_type(value, "a sequence", path)
    return value


def strings(value: object, path: str) -> tuple[str, ...]:
    """An array of strings."""
    return tuple(string(item, f"{path}[{index}]") for index, item in enumerate(sequence(value, path)))


def f32(value: object, path: str) -> float:
    """A number, rounded to single precision."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(value, "f32", path)
    try:
        rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(_F32_MAX, value)
    return rounded


def f32s(value: object, path: str) -> tuple[float, ...]:
    """An array of numbers."""
    return tuple(f32(item, f"{path}[{index}]") for index, item in enumerate(sequence(value, path)))


def _integer(name: str, low: int, high: int) -> Callable[[object, str], int]:
    def read(value: object, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(value, name, path)
        if not low <= value <= high:
            raise wrong_shape(path, f"invalid value: integer `{value}`, expected {name}")
        return value

    return read


i32 = _integer("i32", -(2**31), 2**31 - 1)
u32 = _integer("u32", 0, 2**32 - 1)
u64 = _integer("u64", 0, 2**64 - 1)
usize = _integer("usize", 0, 2**64 - 1)
