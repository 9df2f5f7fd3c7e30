"""The JSON Schema of everything a pack's author writes, and of everything that is printed as JSON.

Of the files, the schemas are for editors: every key has a description and examples, and there is no null, which packs
refuse. Their dialect is draft 7, which the YAML language server knows whole.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from evaluator.data.covers import DataFile
from evaluator.diagnostics import Problems
from evaluator.pack.model import Kind, PackFile
from evaluator.pack.model_appeal import Appeal
from evaluator.pack.model_base import Model
from evaluator.pack.model_case import Case
from evaluator.pack.scalars import NUMBER
from evaluator.pack.source import List, Map, Text, read_text
from evaluator.report.appeal import Looked
from evaluator.report.comparing.impact import Impact
from evaluator.report.comparing.model import Comparison
from evaluator.report.explaining.against import Against
from evaluator.report.explaining.document import Document
from evaluator.report.explaining.why_not import WhyNot
from evaluator.report.problems import CheckedPacks
from evaluator.report.proofs import Proof
from evaluator.report.situations import Situations

WRITTEN: dict[str, tuple[str, type[Model]]] = {
    "pack": ("pack.yaml", PackFile),
    "kind": ("*.yaml", Kind),
    "case": ("cases/*.yaml", Case),
    "appeal": ("appeals/*.yaml", Appeal),
    "data": ("data.yaml", DataFile),
}
"""What a pack's author writes: the pattern of the files' names and their model, by the name of the schema."""

_PRINTED: dict[str, type[BaseModel]] = {
    "explain": Document,
    "explain --why-not": WhyNot,
    "explain --against": Against,
    "compare": Comparison,
    "impact": Impact,
    "situations": Situations,
    "appeal check": Looked,
    "check": CheckedPacks,
    "prove": Proof,
}
_DIALECT = "http://json-schema.org/draft-07/schema#"
_SHORT = {"FieldModel": "type", "Window": "named"}
"""Models a scalar is short for, where it must be one of a few words: the key it stands for."""
_REFUSED = {"Control": ("value", "min", "max", "any", "rank", "via", "within", "default")}
"""Keys a model inherits and then refuses."""


def published_schemas() -> dict[str, Any]:
    """Return the schemas of files by the pattern of their names, and of what commands print by the command."""
    written = {pattern: written_schema(name) for name, (pattern, _) in WRITTEN.items()}
    return written | {command: model.model_json_schema() for command, model in _PRINTED.items()}


def written_schema(name: str) -> dict[str, Any]:
    """Return the schema of one sort of file: pack, kind, case, appeal or data."""
    pattern, model = WRITTEN[name]
    made = _for_editors(model.model_json_schema(by_alias=True))
    definitions: dict[str, Any] = made.get("$defs", {})
    examples = _examples()
    for described, schema in ((model, made), *((model_named(model, key), one) for key, one in definitions.items())):
        for key in _REFUSED.get(described.__name__, ()):
            del schema["properties"][key]
        for key, of_key in schema["properties"].items():
            known = (examples.get(base.__name__, {}) for base in described.__mro__)
            of_key["examples"] = next((one[key] for one in known if key in one), [])
    for key, schema in definitions.items():
        if key in _SHORT:
            short = {k: v for k, v in schema["properties"][_SHORT[key]].items() if k in ("enum", "type")}
            _shorten(made, f"#/$defs/{key}", short)
    return {"$schema": _DIALECT, "title": pattern, **made}


def write_schemas(folder: Path) -> list[Path]:
    """Write the schema of each sort of file an author writes; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in WRITTEN:
        file = folder / f"{name}.json"
        file.write_text(schema_text(name), encoding="utf-8")
        written.append(file)
    return written


def schema_text(name: str) -> str:
    """Return the schema of one sort of file as it is written."""
    return json.dumps(written_schema(name), ensure_ascii=False, indent=1) + "\n"


def model_named(root: type[Model], name: str) -> type[Model]:
    """Return the model of a definition of a schema."""
    todo: list[type[Model]] = [root]
    seen: set[type[Model]] = set()
    while todo:
        model = todo.pop()
        if model.__name__ == name:
            return model
        seen.add(model)
        for info in model.model_fields.values():
            todo += [one for one in _models_in(info.annotation) if one not in seen]
    raise KeyError(name)


def _models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _for_editors(schema: Any, is_keys: bool = False) -> Any:
    """Return a schema without null, without the titles and defaults that pydantic makes up, and without nested choices.

    `is_keys` tells a mapping of keys to schemas from a schema.
    """
    if isinstance(schema, list):
        return [_for_editors(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if is_keys:
        return {key: _for_editors(part) for key, part in schema.items()}
    made = {
        key: _for_editors(value, key in ("properties", "$defs", "patternProperties"))
        for key, value in schema.items()
        if not (key == "title" or (key == "default" and value in (None, [], {})))
    }
    if "anyOf" in made:
        choices = [one for part in made["anyOf"] for one in (part["anyOf"] if set(part) == {"anyOf"} else [part])]
        choices = [one for one in choices if one != {"type": "null"}]
        if len(choices) > 1:
            made["anyOf"] = choices
        else:  # what is said of the key goes before what is said of its type
            del made["anyOf"]
            made = choices[0] | made
    if "patternProperties" in made:  # names that fit no pattern are refused
        made["additionalProperties"] = False
        del made["propertyNames"]
    if "$ref" in made and len(made) > 1:  # beside a reference draft 7 reads nothing
        made["allOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _shorten(schema: Any, reference: str, short: dict[str, Any]) -> None:
    """Let a scalar that is short for a model be only what the key it stands for may be."""
    if isinstance(schema, dict):
        choices = schema.get("anyOf", [])
        if {"$ref": reference} in choices:
            schema["anyOf"] = [short if "$ref" not in one else one for one in choices]
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _shorten(part, reference, short)


def _examples() -> dict[str, dict[str, list[Any]]]:
    """Return the examples of each key of each model."""
    return {
        str(model): {str(key): [plain(one) for one in listed] for key, listed in keys.items()}
        for model, keys in example_trees().items()
    }


def example_trees() -> Map:
    """Return the examples of each key of each model, as a pack would hold them."""
    problems = Problems()
    text = files("evaluator.report").joinpath("schema_examples.yaml").read_text(encoding="utf-8")
    tree = read_text(text, "schema_examples.yaml", problems)
    problems.stop_on_errors()
    assert tree is not None
    return tree


def plain(value: Any) -> Any:
    """Return what an editor makes of a part of a pack: numbers and truth values read, dates left as text."""
    if isinstance(value, Map):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, List):
        return [plain(one) for one in value]
    assert isinstance(value, Text)
    if value.plain and NUMBER.match(value):
        return float(value) if "." in value else int(value)
    if value.plain and value in ("true", "false"):
        return value == "true"
    return str(value)
