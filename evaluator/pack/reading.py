"""Trees of pack files to models: every problem noted at the key that is wrong; and the models' JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from evaluator.diagnostics import Problems, Span, closest, rename_to
from evaluator.pack.model import Kind, PackFile
from evaluator.pack.model_appeal import Appeal
from evaluator.pack.model_base import Model
from evaluator.pack.model_case import Case
from evaluator.pack.source import List, Map, Text

M = TypeVar("M", bound="Model")

_KIND_OF_ERROR: dict[str, str] = {
    "extra_forbidden": "P104",
    "missing": "P201",
    "missing_with": "P201",
    "together": "P203",
    "choice": "P203",
    "name": "P204",
}


def read_model(model: type[M], tree: Map, problems: Problems) -> M | None:
    """Return the tree as a model, or None after noting every problem at the key that is wrong."""
    try:
        return model.model_validate(tree)
    except ValidationError as wrong:
        for error in wrong.errors(include_url=False):
            _note(model, tree, error, problems)
        return None


def _note(model: type[Model], tree: Map, error: Any, problems: Problems) -> None:
    path = [step for step in error["loc"] if not str(step).startswith(("function-", "list[", "dict["))]
    at, here, holder, name = _find(tree, path)
    code = _KIND_OF_ERROR.get(error["type"], "P202")
    message, fix = str(error["msg"]), None
    culprit = str(error.get("ctx", {}).get("key", ""))
    if isinstance(here, Map) and culprit in here:
        at = next(key.at for key in here if key == culprit)
    elif isinstance(here, Text) and code in ("P202", "P204"):
        at = here.at
    if code == "P104":
        known = _known_keys(model, path)
        fix = rename_to(name, known) or f"remove it; what may stand here: {', '.join(known)}"
        message = f'unknown key "{name}"' + (f" in {holder}" if holder else "")
    elif error["type"] == "missing":
        message = f'missing key "{path[-1]}"' + (f" in {holder}" if holder else "")
        fix = f"add {path[-1]}:"
    elif error["type"] == "literal_error":
        words = re.findall("'([^']*)'", error["ctx"]["expected"])
        message = f'"{error["input"]}" is not one of {", ".join(words)}'
        near = closest(str(error["input"]), words)
        fix = f"write {near}" if near else None
    elif error["type"] == "too_short":
        least = error["ctx"]["min_length"]
        message = f"expected at least {'one' if least == 1 else least}"
    elif error["type"].endswith("_type"):
        message = {"list_type": "expected a list", "dict_type": "expected a mapping"}.get(error["type"], message)
    problems.add(code, message, at, fix)


def _find(tree: Any, path: list[Any]) -> tuple[Span, Any, str, str]:
    """Return where the path leads and what is there, the words for the mapping that holds it, and its last step."""
    at, here, name = tree.at, tree, ""
    above: list[str] = []  # the keys on the way
    holder = ""
    for step in path:
        if step == "[key]":
            return at, None, holder, name
        if isinstance(here, Map):
            holder, name = _described(here, above), str(step)
            key = next((key for key in here if key == step), None)
            if key is None:
                return at, here, holder, name
            above.append(name)
            at, here = key.at, here[key]
        elif isinstance(here, List) and isinstance(step, int) and step < len(here):
            here = here[step]
            at = here.at
    return at, here, holder, name


_ONE_OF_MANY = {
    "items": "score item", "rules": "rule", "rosters": "roster", "fields": "field", "measures": "measure",
    "verdicts": "verdict", "parameters": "parameter", "tables": "table", "clauses": "clause",
    "reconcile": "control total", "not_assessed": "exception", "not_ranked": "exception",
}  # fmt: skip


def _described(here: Map, above: list[str]) -> str:
    """Return words for a mapping: what it is one of, and what it is called."""
    own = next((f'"{here[key]}"' for key in ("id", "is") if key in here and isinstance(here[key], Text)), "")
    if above and above[-1] in _ONE_OF_MANY:
        return f"{_ONE_OF_MANY[above[-1]]} {own}".strip()
    if len(above) > 1 and above[-2] in _ONE_OF_MANY:
        return f'{_ONE_OF_MANY[above[-2]]} "{above[-1]}"'
    return above[-1] if above else ""


def _known_keys(model: type[Model], path: list[Any]) -> list[str]:
    """Return the keys that may stand where the path ends; its last step is the key that may not."""
    models = sorted(_models_at(model, path[:-1]), key=lambda one: one.__name__)
    return list(dict.fromkeys(info.alias or key for one in models for key, info in one.model_fields.items()))


def _models_at(annotation: Any, path: list[Any]) -> set[type[Model]]:
    """Return the models that may describe what a path leads to."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        if not path:
            return {annotation}
        inner = [info.annotation for key, info in annotation.model_fields.items() if (info.alias or key) == path[0]]
        return _models_at(inner[0], path[1:]) if inner else {annotation}
    parts = getattr(annotation, "__args__", ())
    if getattr(annotation, "__origin__", None) in (dict, list, tuple):  # a step is a key or a place in the list
        path = path[1:]
    return {model for part in parts for model in _models_at(part, path)}


def schemas() -> dict[str, Any]:
    """Return the JSON Schema of each kind of pack file, by the pattern of its name."""
    make: Callable[[type[Model]], dict[str, Any]] = lambda model: model.model_json_schema(by_alias=True)  # noqa: E731
    return {
        "pack.yaml": make(PackFile),
        "*.yaml": make(Kind),
        "cases/*.yaml": make(Case),
        "appeals/*.yaml": make(Appeal),
    }
