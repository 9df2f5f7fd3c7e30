"""The schema that editors read says what the loader says, of every pack and of broken ones; every key is explained."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from pydantic import create_model

from evaluator.diagnostics import Problems
from evaluator.pack.model_base import Model
from evaluator.pack.reading import read_model
from evaluator.pack.source import Map, Text, read_text
from evaluator.report.schemas import WRITTEN, example_trees, model_named, write_schemas, written_schema

RULES, FILES = ROOT / "rules", ROOT / "docs" / "schema"
UPDATE = bool(os.environ.get("EVALUATOR_UPDATE_DOCS"))
COMMENT = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")

# --- what an editor does: YAML 1.2, and regular expressions that know Unicode ---------------------------------


class Core(yaml.SafeLoader):
    """YAML 1.2 as its core schema has it: dates are text, and so are yes, no, on and off."""


Core.yaml_implicit_resolvers = {}
for tag, pattern in {
    "bool": r"true|True|TRUE|false|False|FALSE",
    "null": r"~|null|Null|NULL|",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?",
}.items():
    Core.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z"), None)
# an editor's numbers are decimal: 01 is 1
Core.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def _matches(validator: Any, pattern: str, text: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(text, str) and not re.search(_unicode(pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern}")


def _by_pattern(validator: Any, patterns: Any, mapping: Any, schema: Any) -> Iterator[ValidationError]:
    for key, value in mapping.items() if isinstance(mapping, dict) else ():
        fitting = [part for pattern, part in patterns.items() if re.search(_unicode(pattern), key)]
        for part in fitting:
            yield from validator.descend(value, part, path=key)
        if not fitting and schema.get("additionalProperties") is False and key not in schema.get("properties", {}):
            yield ValidationError(f"{key!r} fits no pattern")


def _unicode(pattern: str) -> str:
    return pattern.replace(r"[\p{L}_][\p{L}\p{N}_]*", r"[^\W\d]\w*")


def _others(validator: Any, other: Any, mapping: Any, schema: Any) -> Iterator[ValidationError]:
    if other is False and "patternProperties" in schema:
        return  # looked at by _by_pattern
    yield from Draft7Validator.VALIDATORS["additionalProperties"](validator, other, mapping, schema)


Editor = extend(
    Draft7Validator, {"pattern": _matches, "patternProperties": _by_pattern, "additionalProperties": _others}
)


DATES = FormatChecker(["date"])


def complaints(schema: Any, text: str) -> list[str]:
    """Return what an editor says of a text."""
    value = _keyed(yaml.load(text, Core))  # noqa: S506
    return [error.message for error in Editor(schema, format_checker=DATES).iter_errors(value)]


def _keyed(value: Any) -> Any:
    """Return a value with all keys as text, as JSON has them."""
    if isinstance(value, dict):
        return {str(key).lower() if isinstance(key, bool) else str(key): _keyed(one) for key, one in value.items()}
    return [_keyed(one) for one in value] if isinstance(value, list) else value


# --- every pack ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return {name: written_schema(name) for name in WRITTEN}


def test_every_file_of_every_pack_names_its_schema_and_fits_it(schemas: dict[str, Any]) -> None:
    seen = dict.fromkeys(schemas, 0)
    for file in sorted(RULES.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        found = COMMENT.match(text)
        assert found, f"{file} does not name its schema"
        named = (file.parent / found[1]).resolve()
        wanted = "case" if file.parent.name == "cases" else "pack" if file.name == "pack.yaml" else "kind"
        assert named == FILES / f"{wanted}.json", file
        assert not complaints(schemas[wanted], text), file
        seen[wanted] += 1
    for file in sorted((ROOT / "fixtures").rglob("data.yaml")):
        assert not complaints(schemas["data"], file.read_text(encoding="utf-8")), file
        seen["data"] += 1
    for text in re.findall(r"^```yaml file=appeals/\S+\n(.*?)^```$", _document("appeals"), re.MULTILINE | re.DOTALL):
        assert not complaints(schemas["appeal"], text), text
        seen["appeal"] += 1
    assert all(seen.values()), seen


def _document(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def test_the_files_are_what_the_command_writes(tmp_path: Path) -> None:
    if UPDATE:
        write_schemas(FILES)
    written = write_schemas(tmp_path)
    assert sorted(path.name for path in written) == sorted(path.name for path in FILES.iterdir())
    for path in written:
        assert path.read_text(encoding="utf-8") == (FILES / path.name).read_text(encoding="utf-8"), (
            "EVALUATOR_UPDATE_DOCS=1 rewrites it"
        )


# --- broken ones ----------------------------------------------------------------------------------------------

FINE = {
    "pack": "pack: try\ntitle: {en: try}\nlanguage: en\n",
    "kind": "subject: member\nkey: id\nfields: {id: text}\n",
    "case": "case: one\nyear: 2021\ngiven: {member: [{id: A}]}\nexpect: {member: [{id: A}]}\n",
    "appeal": "appeal: A1\nsubject: A\nfiled_on: 2022-01-05\nstatus: filed\nclaims: [{void: acts, key: '1'}]\n",
    "data": "covers: {from: 2020-01-01, to: 2021-12-31}\n",
}
BROKEN = {
    "pack": [
        "titel: {en: try}", "period: {months: twelve}", "period: {ending: 31 December}", "history: {gap: maybe}",
        "history: {}", "terms: {name: x}", "terms: [{name: x, from: 2016-12-01}]", "tables: {t: {key: id, rows: 1}}",
        "tables: {t: {key: id, fields: {id: string}}}", "tables: {2t: {key: id}}", "parameters: {p: {values: 3}}",
        "clauses: {c: {text: x}}", "labels: {fr: {a: b}}", "reconcile: [{count: t, equals: many, year: 2021}]",
        "reconcile: [{count: t, equals: 1}]", "reconcile: [{rank: t, equals: 1, year: 2021}]", "holidays: [2021-10-01]",
        "appeals: {within: ten}", "in_force: 2021", "title: null",
    ],
    "kind": [
        "meazures: {}", "measures: [m]", "measures: {m: {kount: t}}", "measures: {m: {count: t, period: always}}",
        "measures: {m: {count: t, period: {months: a few}}}", "score: 3", "score: {pionts: 3}",
        "score: {items: {id: a}}", "score: {points: 1, again: maybe}", "score: {points: 1, series: [1]}",
        "score: {judged: [0], by: x}", "score: {points: 1, times: [{when: a}]}",
        "verdicts: {v: {when: true, pick: any}}",
        "verdicts: {v: {rules: {is: a}}}", "verdicts: {v: {rules: [{iz: a}]}}", "rosters: [{order_by: id}]",
        "rosters: [{id: r, order_by: id, columns: [id], rank: loose}]", "not_ranked: [{when: a}]", "display: a b",
        "files: {}", "fields: {id: {type: text, optional: 1}}",
    ],
    "case": ["year: soon", "given: [member]", "given: {member: {id: A}}", "history: {year: 2020}", "expects: {}"],
    "appeal": ["status: lost", "claims: []", "claims: [{avoid: acts}]", "decided_on: yesterday", "claims: {}"],
    "data": ["covers: 2021", "covers: {from: 2020-01-01}", "covers: {from: 2020, to: 2021}", "kovers: {}"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "added"), [(name, added) for name, listed in BROKEN.items() for added in listed])
def test_editor_and_loader_refuse_the_same(name: str, added: str, schemas: dict[str, Any]) -> None:
    key = added.partition(":")[0]
    kept = [line for line in FINE[name].splitlines() if not line.startswith(f"{key}:")]
    text = "\n".join([*kept, added]) + "\n"
    assert complaints(schemas[name], text), text
    assert refusals(WRITTEN[name][1], text), text


@pytest.mark.parametrize("name", FINE)
def test_what_is_required_is_required_by_both(name: str, schemas: dict[str, Any]) -> None:
    assert not complaints(schemas[name], FINE[name])
    assert not refusals(WRITTEN[name][1], FINE[name])
    lines = FINE[name].splitlines()
    for key in schemas[name].get("required", []):
        text = "\n".join([*(line for line in lines if not line.startswith(f"{key}:")), "note: x"])
        assert any(f"'{key}' is a required property" in said for said in complaints(schemas[name], text))
        assert f'missing key "{key}"' in str(refusals(WRITTEN[name][1], text))


def refusals(model: type[Model], text: str) -> list[str]:
    """Return what the loader says of a text."""
    problems = Problems()
    tree = read_text(text, "tried.yaml", problems)
    if tree is not None:
        read_model(model, tree, problems)
    return [problem.message for problem in problems]


# --- every key ------------------------------------------------------------------------------------------------


def _described(schema: dict[str, Any], name: str) -> Iterator[tuple[type[Model], dict[str, Any]]]:
    model = WRITTEN[name][1]
    yield model, schema
    for key, definition in schema.get("$defs", {}).items():
        yield model_named(model, key), definition


@pytest.mark.parametrize("name", WRITTEN)
def test_every_key_has_a_description_and_examples_that_both_accept(name: str, schemas: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schemas[name], format_checker=FormatChecker([]))  # Python does not know \\p{L}
    trees = example_trees()
    for model, schema in _described(schemas[name], name):
        assert schema["description"], model
        for key, of_key in schema["properties"].items():
            where = f"{model.__name__}.{key}"
            assert len(of_key["description"].split()) > 1, where
            assert of_key["examples"], where
            part = of_key | {"$defs": schemas[name].get("$defs", {})}
            for example in of_key["examples"]:
                assert not list(Editor(part, format_checker=DATES).iter_errors(example)), f"{where}: {example}"
            written = next(trees[one.__name__] for one in model.__mro__ if key in trees.get(one.__name__, {}))
            for tree in written[next(one for one in written if one == key)]:
                _accepted(model, key, tree)


def _accepted(model: type[Model], key: str, tree: Any) -> None:
    """Have the loader read an example, as the one key of a model that has no other."""
    field, info = next((f, i) for f, i in model.model_fields.items() if (i.alias or f) == key)
    alone = create_model("Alone", __base__=Model, **{field: (info.annotation, info)})  # type: ignore[call-overload]
    problems = Problems()
    read_model(alone, Map([(Text(key, tree.at), tree)], tree.at), problems)
    assert not list(problems), f"{model.__name__}.{key}: {list(map(str, problems))}"


def test_no_example_is_of_nothing() -> None:
    known = {
        base.__name__: base
        for name, (_, root) in WRITTEN.items()
        for model, _ in _described(written_schema(name), name)
        for base in [root, *model.__mro__]
        if issubclass(base, Model)
    }
    for name, keys in example_trees().items():
        fields = known[name].model_fields
        assert set(keys) <= {info.alias or field for field, info in fields.items()}, name
