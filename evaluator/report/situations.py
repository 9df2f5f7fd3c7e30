"""The situations of a year: what subjects have in common, what follows from it, and which were never seen before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from sqlglot import exp

from evaluator.data.chain import run_with_hash
from evaluator.data.history import read_history, stored_as
from evaluator.diagnostics import Problems, Span, Stop
from evaluator.engine.families import NONE, UNKNOWN, Family, Gate, compile_family, domain, word
from evaluator.pack.definitions import Formula, KindDef, Pack, VerdictDef
from evaluator.pack.nodes import Const, Name, Node
from evaluator.report.comparing.pack import place_of
from evaluator.report.comparing.values import written
from evaluator.report.reopen import PastRun, reopen
from evaluator.report.repeat import manifest_of, places
from evaluator.report.words import plain_fraction
from evaluator.sql.trees import cast, column, is_null, named, ordered, parquet

State = Literal["holds", "fails", "unknown", "fails or unknown", "holds or unknown", "unsettled"]
Seen = set[tuple[str, str, frozenset[tuple[str, str]]]]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Part):
    """A condition of the pack, and whether it holds."""

    text: str = Field(description="the condition as it is written")
    at: str = Field(description="file and line")
    state: State = Field(description="unsettled: a rule at or before this one cannot be told for want of a value")


class Fired(_Part):
    """A rule that fired: what it concludes."""

    verdict: str
    value: str
    rule: int = Field(description="the number of the rule; 0 where no rule decided")
    at: str = Field(description="file and line")


class SituationOfYear(_Part):
    """What a number of subjects have in common, as far as these verdicts look."""

    number: int = Field(description="its number in the run")
    subjects: int
    conditions: tuple[Condition, ...] = Field(description="those that were looked at")
    verdicts: dict[str, str] = Field(description="what is concluded")
    fired: tuple[Fired, ...]
    example: str = Field(description="the key of the first subject")
    example_name: str = Field(description="what it is called")
    is_new: bool | None = Field(description="whether no earlier run had it; null where there is none to look at")


class FamilyOfYear(_Part):
    """Verdicts that are concluded together, and the situations of their subjects: the most frequent first."""

    kind: str
    verdicts: tuple[str, ...]
    subjects: int = Field(description="how many are in one of the situations")
    situations: tuple[SituationOfYear, ...]


class EarlierRun(_Part):
    """An earlier run in which situations were looked for."""

    folder: str
    pack: str
    year: int


class Situations(_Part):
    """The situations of a run. `str()` of it is the text."""

    folder: str
    pack: str
    year: int
    language: str
    earlier: tuple[EarlierRun, ...] = Field(description="the runs that a situation was looked for in")
    not_found: tuple[int, ...] = Field(description="years the run looks back on whose folder is not beside it")
    families: tuple[FamilyOfYear, ...]

    _pack: Pack = PrivateAttr()

    def __str__(self) -> str:
        from evaluator.report.situations_shown import situations_text

        return situations_text(self, self._pack)


def situations_of(folder: Path, history: Iterable[Path] = (), language: str | None = None) -> Situations:
    """Return the situations of a run; `history` names earlier runs, left out those the run looks back on.

    Raises Stop where a folder is no run folder, or holds no earlier year.
    """
    with reopen(folder, language) as run:
        problems = Problems()
        named_runs = list(history)
        not_found: list[int] = []
        if not named_runs:
            named_runs, not_found = _looked_back_on(folder)
        past = read_history(named_runs, run.pack, run.manifest["year"], problems)
        problems.stop_on_errors()
        seen: Seen | None = None
        for one in past:
            with reopen(one.folder) as earlier:
                seen = (seen or set()) | {key for made in _families(earlier, None) for key in _keys(made)}
        made = Situations(
            folder=str(folder), pack=run.pack.name, year=run.manifest["year"], language=run.pack.shown_in,
            earlier=tuple(
                EarlierRun(folder=str(one.folder), pack=one.manifest["pack"]["name"], year=one.year) for one in past
            ),
            not_found=tuple(not_found), families=tuple(_families(run, seen)),
        )  # fmt: skip
        made._pack = run.pack
        return made


def _looked_back_on(folder: Path) -> tuple[list[Path], list[int]]:
    """Return the folders of the runs a run looks back on, and the years of those that are not beside it."""
    found, missing = [], []
    for past in manifest_of(folder).history:
        place = run_with_hash(past.sha256, places(folder))
        if place is None:
            missing.append(past.year)
        else:
            found.append(place)
    return found, missing


def _keys(family: FamilyOfYear) -> Iterator[tuple[str, str, frozenset[tuple[str, str]]]]:
    """Give what situations are known again by: kind, verdict, and the conditions as written with their states."""
    for situation in family.situations:
        yield from _known_by(family.kind, family.verdicts, situation.conditions)


def _known_by(
    kind: str, verdicts: Iterable[str], conditions: Iterable[Condition]
) -> list[tuple[str, str, frozenset[tuple[str, str]]]]:
    states = frozenset((one.text, one.state) for one in conditions)
    return [(kind, verdict, states) for verdict in verdicts]


def _families(run: PastRun, seen: Seen | None) -> list[FamilyOfYear]:
    """Return the families of a run in the order of its pack."""
    made = [_Reader(run, str(name), seen).family() for name in run.manifest["counts"]["situations"]]
    kinds = list(run.pack.kinds)
    order = {kind: list(definition.verdicts) for kind, definition in run.pack.kinds.items()}
    return sorted(made, key=lambda one: (kinds.index(one.kind), order[one.kind].index(one.verdicts[0])))


class _Reader:
    """Reads the situations of a family of verdicts from a run folder."""

    def __init__(self, run: PastRun, name: str, seen: Seen | None) -> None:
        self.run, self.name, self.seen = run, name, seen
        owner, _, verdicts = name.partition(".")
        self.kind: KindDef = run.pack.kinds[owner]
        self.made: Family = compile_family(self.kind, verdicts.split("+"), Problems())
        self.formulas = [formula for verdict in self.made.verdicts for formula in _conditions(verdict)]

    def family(self) -> FamilyOfYear:
        """Return the family with its situations, the most frequent first."""
        fired: dict[int, list[Fired]] = {}
        for place, verdict, value, rule in self._rows("firings", ("situation", "verdict", "value", "rule")):
            own = self.kind.verdicts[verdict]
            at = place_of(_place(own, rule))
            one = Fired(verdict=verdict, value=_shown_value(own, value), rule=rule, at=at)
            if one not in fired.setdefault(place, []):
                fired[place].append(one)
        examples = self._examples()
        situations = []
        for place, subjects, gates, verdicts in self._rows(
            "situations", ("situation", "subjects", "gates", "verdicts")
        ):
            conditions = tuple(self._stated(json.loads(gates)))
            names = [verdict.name for verdict in self.made.verdicts]
            keys = _known_by(self.kind.name, names, conditions)
            concluded = json.loads(verdicts)
            key, called = examples.get(place, ("", ""))
            situations.append(
                SituationOfYear(
                    number=place,
                    subjects=subjects,
                    conditions=conditions,
                    verdicts={
                        name: _shown_value(self.kind.verdicts[name], concluded[name])
                        for name in names
                        if name in concluded
                    },
                    fired=tuple(fired.get(place, ())),
                    example=key,
                    example_name=called,
                    is_new=None if self.seen is None else self.seen.isdisjoint(keys),
                )  # fmt: skip
            )
        situations.sort(key=lambda one: (-one.subjects, one.number))
        return FamilyOfYear(
            kind=self.kind.name, verdicts=tuple(verdict.name for verdict in self.made.verdicts),
            subjects=sum(one.subjects for one in situations), situations=tuple(situations),
        )  # fmt: skip

    def _rows(self, file: str, names: tuple[str, ...]) -> list[tuple[Any, ...]]:
        listed = exp.alias_(parquet(self.run.folder / f"{file}.parquet"), "x", table=True)
        query = exp.select(*(column(name, "x") for name in names)).from_(listed, copy=False)
        own = exp.EQ(this=column("family", "x"), expression=exp.Literal.string(self.name))
        return self.run.state.db.rows(query.where(own, copy=False).order_by(ordered(column("situation", "x"))))

    def _examples(self) -> dict[int, tuple[str, str]]:
        """Return the first subject of each situation, by key: its key, and what it is called."""
        file = self.run.folder / "subjects" / f"{self.kind.name}.parquet"
        place = column(f"situation.{self.made.verdicts[0].name}", "s")
        called = cast(column(stored_as(self.kind.display), "s"), "TEXT")
        query = exp.select(named(place, "place"), column("key", "s"), called)
        query = query.from_(exp.alias_(parquet(file), "s", table=True), copy=False)
        query = query.where(exp.Not(this=is_null(place.copy())), copy=False).order_by(ordered(column("sid", "s")))
        found: dict[int, tuple[str, str]] = {}
        for number, key, name in self.run.state.db.rows(query):
            found.setdefault(int(number), (str(key), str(name)))
        return found

    # --- conditions ---

    def _stated(self, values: dict[str, object]) -> Iterator[Condition]:
        """Give the conditions that were looked at, in the order written, each with what became of it."""
        if values.keys() != {gate.name for gate in self.made.gates}:
            raise Stop.of("R223", f"{self.run.folder / 'situations.parquet'}: {self.name} rests on other conditions")
        by_tests: dict[tuple[str, str], list[tuple[Gate, object]]] = {}
        for gate in self.made.gates:
            if gate.form == "index":
                yield from self._first_that_holds(gate, str(values[gate.name]))
            else:
                text, where = self._written(gate.tests[0])
                by_tests.setdefault((text, place_of(where)), []).append((gate, values[gate.name]))
        for (text, at), gates in by_tests.items():
            yield Condition(text=text, at=at, state=_state({gate.form: bool(value) for gate, value in gates}, gates))

    def _first_that_holds(self, gate: Gate, value: str) -> Iterator[Condition]:
        number = int(value.removeprefix("r")) if value not in (NONE, UNKNOWN) else len(gate.tests) + 1
        for place, test in enumerate(gate.tests, 1):
            text, where = self._written(test)
            state: State = "unsettled" if value == UNKNOWN else "holds" if place == number else "fails"
            if place <= number:
                yield Condition(text=text, at=place_of(where), state=state)

    def _written(self, test: Node) -> tuple[str, Span]:
        """Return a condition as it is written, and where; verdicts it was spelled out for are their values."""
        for formula in self.formulas:
            for node in formula.node.walk():
                if node is test:
                    return _part(formula, node, {}), formula.span(node.place)
        members = {verdict.name for verdict in self.made.verdicts}
        for formula in self.formulas:
            for node in formula.node.walk():
                given = _spelled_out(node, test, members)
                if given is not None:
                    return _part(formula, node, given), formula.span(node.place)
        raise AssertionError(f"{self.name}: a gate rests on no condition of the pack")


def _conditions(verdict: VerdictDef) -> list[Formula]:
    own = [verdict.when, *(rule.when for rule in verdict.rules)]
    return [formula for formula in own if formula is not None]


def _place(verdict: VerdictDef, rule: int) -> Span:
    """Return where a rule of a verdict stands; the verdict where it has no such rule."""
    if verdict.when is not None:
        return verdict.when.at
    return next((one.model.at for one in verdict.rules if one.number == rule), verdict.at)


def _shown_value(verdict: VerdictDef, value: str) -> str:
    """Return a concluded value as a comparison writes it."""
    for one in domain(verdict):
        if word(one).removeprefix("=") == value:
            return plain_fraction(one) if isinstance(one, Fraction) else str(written(one))
    return value


def _state(forms: dict[str, bool], gates: list[tuple[Gate, object]]) -> State:
    """Return what is known of a condition from the gates that rest on it."""
    if forms.get("holds"):
        return "holds"
    if forms.get("fails"):
        return "fails"
    if "holds" in forms and "fails" in forms:
        return "unknown"
    if "fails" in forms:
        return "holds or unknown"
    return "fails or unknown" if gates[0][0].tests[0].nullable else "fails"


def _part(formula: Formula, node: Node, given: dict[tuple[int, int], str]) -> str:
    """Return the text of a part of a formula on one line, with these places written otherwise."""
    start, length = node.place
    text = formula.text[start : start + length]
    for (place, size), value in sorted(given.items(), reverse=True):
        text = text[: place - start] + value + text[place - start + size :]
    return " ".join(text.split())


def _spelled_out(node: Node, test: Node, members: set[str]) -> dict[tuple[int, int], str] | None:
    """Return the values a condition was spelled out with, by their places; None where it is another condition."""
    if node == test:
        return {}
    if node.place != test.place:
        return None
    if isinstance(node, Name) and node.leaf in members and isinstance(test, Const):
        return {node.place: "null" if test.value is None else _literal(test.value)}
    if type(node) is not type(test):
        return None
    one, other = list(node.children()), list(test.children())
    if len(one) != len(other) or not one:
        return None
    found: dict[tuple[int, int], str] = {}
    for a, b in zip(one, other, strict=True):
        inner = _spelled_out(a, b, members)
        if inner is None:
            return None
        found |= inner
    return found


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
