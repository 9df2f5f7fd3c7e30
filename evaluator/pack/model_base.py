"""What the models of pack files are made from: their base, and scalars taken where a list or mapping is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from evaluator.diagnostics import Span
from evaluator.pack.source import List, Map, Text


class Model(BaseModel):
    """A mapping of a pack file: frozen, strict, and it knows where it and its keys stand."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True, defer_build=True
    )
    _at: Span = PrivateAttr()
    _keys: dict[str, Span] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _keep_place(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(value, Map):
            raise PydanticCustomError("mapping", "expected a mapping")
        made = handler(value)
        made._at = value.at
        made._keys = {str(key): key.at for key in value}
        return made

    @property
    def at(self) -> Span:
        """Where the mapping begins."""
        return self._at

    def key_at(self, key: str) -> Span:
        """Where a key stands; the mapping itself where the key is not written."""
        return self._keys.get(key, self._at)

    def has(self, key: str) -> bool:
        """Whether the author wrote the key."""
        return key in self._keys


def exactly_one(model: Model, keys: Iterable[str], what: str) -> None:
    """Refuse a mapping that has none or several of the keys."""
    given = [key for key in keys if model.has(key)]
    if len(given) != 1:
        raise PydanticCustomError(
            "choice",
            "{what} has exactly one of {keys}; this one has {given}",
            {"what": what, "keys": ", ".join(keys), "given": " and ".join(given) or "none"},
        )


def _listed(value: Any) -> Any:
    """Take a single scalar for a list of one."""
    return List([value], value.at) if isinstance(value, Text) else value


class Widened:
    """Take a scalar where a list or a mapping is meant, in files and in their schema; or whatever `taken` describes."""

    def __init__(self, widen: Callable[[Any], Any], taken: dict[str, Any] | None = None) -> None:
        self.widen, self.taken = widen, taken or {"type": ["string", "number", "boolean"]}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.widen, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [self.taken, handler(schema)]}


OneOrMore = Widened(_listed)


class OrName:
    """Take a name where a mapping is meant otherwise, in files and in their schema."""

    def __init__(self, mapping: Any) -> None:
        self.mapping = mapping

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def named(value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
            return value if isinstance(value, Text) else handler(value)

        return core_schema.no_info_wrap_validator_function(named, handler.generate_schema(self.mapping))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": ["string"], "description": "a name"}, handler(schema)]}


class OrWord(Widened):
    """Take one word where a mapping is meant otherwise; it stands for the empty one, which may not be written."""

    def __init__(self, word: str) -> None:
        super().__init__(self._emptied)
        self.word = word

    def _emptied(self, value: Any) -> Any:
        if value == self.word:
            return Map({}, value.at)
        if isinstance(value, Text) or value == {}:
            raise PydanticCustomError("value", "expected a mapping, or {word}", {"word": self.word})
        return value

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [handler(schema), {"enum": [self.word]}]}


def short(key: str) -> Widened:
    """Take a scalar for the mapping {key: scalar}."""

    def widen(value: Any) -> Any:
        return Map({Text(key, value.at): value}, value.at) if isinstance(value, Text) else value

    return Widened(widen)
