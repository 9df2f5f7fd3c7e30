"""From gates of subjects to situations, and from what is concluded of situations back to subjects."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.decide import Bench, Judgement, judge
from evaluator.engine.families import NONE, UNKNOWN, Family, domain, word
from evaluator.engine.state import State, missing_values
from evaluator.pack.definitions import KindDef, VerdictDef
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import SQL, both, column, is_null, named, number, ordered, star, table


@dataclass(frozen=True, slots=True)
class Situation:
    """What a number of subjects have in common, as far as a family of verdicts looks."""

    family: str
    number: int
    subjects: int
    gates: dict[str, object]


def conclude(
    state: State, kind: KindDef, family: Family, bench: Bench, problems: Problems
) -> tuple[list[Situation], list[Judgement]]:
    """Judge the situations of a family, each once, and add the verdicts to the subjects.

    Adds a column for each verdict, rule.<verdict> (the number of the rule that concluded it) and
    situation.<first verdict> (the number of the situation); unknown for subjects not assessed.
    """
    rows = state.rows(kind.name, "s")
    lowering = Lowering(rows)
    gates = [named(gate.sql(lowering), gate.name) for gate in family.gates]
    query = rows.select(named(column("#sid", "s"), "sid"), *gates).where(column("is_assessed", "s"), copy=False)
    gated = table(f"{kind.name}#gates", "work")
    state.db.create(gated, query)
    names = [gate.name for gate in family.gates]
    keys = [column(name, "g") for name in names]
    distinct = exp.select(*keys, exp.Count(this=exp.Star())).from_(exp.alias_(gated, "g", table=True), copy=False)
    if keys:
        distinct = distinct.group_by(*(k.copy() for k in keys)).order_by(*(ordered(k.copy()) for k in keys))
    found = [
        Situation(str(family), place, row[-1], dict(zip(names, row, strict=False)))
        for place, row in enumerate(state.db.rows(distinct), 1)
        if row[-1]
    ]
    judgements = judge(family, [s.gates for s in found], bench)
    results = _store(state, kind, family, found, judgements)
    # without a gate all who are assessed are in one situation
    same: list[SQL] = [exp.EQ(this=column(n, "g"), expression=column(n, "c")) for n in names]
    on = both(*(same or [exp.Not(this=is_null(column("sid", "g")))]))
    joined = (
        exp.select(star("s"), *(column(name, "c") for name in _result_columns(family)))
        .from_(exp.alias_(state.location(kind.name), "s", table=True), copy=False)
        .join(
            exp.alias_(gated, "g", table=True),
            on=exp.EQ(this=column("#sid", "s"), expression=column("sid", "g")),
            join_type="left",
            copy=False,
        )
        .join(exp.alias_(results, "c", table=True), on=on, join_type="left", copy=False)
    )
    state.replace(kind.name, joined)
    state.db.drop(gated)
    state.db.drop(results)
    for verdict in family.verdicts:
        state.count_unknown(kind, verdict.name, verdict.when)
    _note_failures(state, kind, family, found, judgements, problems)
    return found, judgements


def situation_column(family: Family) -> str:
    """Return the column that holds the number of a subject's situation."""
    return f"situation.{family.verdicts[0].name}"


def _result_columns(family: Family) -> list[str]:
    own = [name for verdict in family.verdicts for name in (verdict.name, f"rule.{verdict.name}")]
    return [*own, situation_column(family)]


def _store(
    state: State, kind: KindDef, family: Family, found: list[Situation], judgements: list[Judgement]
) -> exp.Table:
    """Put what was concluded into a table, by gates."""
    columns: dict[str, tuple[str, list[object]]] = {}
    for gate in family.gates:
        kind_of = "TEXT" if gate.form == "index" else "BOOLEAN"
        columns[gate.name] = (kind_of, [s.gates[gate.name] for s in found])
    for verdict in family.verdicts:
        storage = {"text": "TEXT", "boolean": "BOOLEAN", "date": "DATE"}.get(verdict.type.base, "BIGINT")
        columns[verdict.name] = (storage, [_value(verdict, j) for j in judgements])
        columns[f"rule.{verdict.name}"] = ("BIGINT", [rule_that_decided(family, verdict, j) for j in judgements])
    columns[situation_column(family)] = ("BIGINT", [s.number for s in found])
    name = table(f"{kind.name}#concluded", "work")
    state.db.listed(name, columns)
    return name


def _value(verdict: VerdictDef, judgement: Judgement) -> object:
    """Return a conclusion as it is stored; None where it is unknown or missing."""
    concluded = judgement.concluded.get(verdict.name)
    value = next((v for v in domain(verdict) if word(v) == concluded), None)
    if value is None or isinstance(value, (bool, str)):
        return value
    return int(value * (UNIT if verdict.type.base == "number" else 1))  # type: ignore[operator]


def rule_that_decided(family: Family, verdict: VerdictDef, judgement: Judgement) -> int:
    """Return the number of the rule that concluded a verdict; 0 where none did."""
    concluded = judgement.concluded.get(verdict.name)
    by_id = {rule.id: rule for rule in family.rules}
    numbers = [
        by_id[rule].source
        for rule, _ in judgement.fired
        if by_id[rule].verdict == verdict.name and by_id[rule].value == concluded and by_id[rule].source
    ]
    return min(numbers, default=0)


def _note_failures(
    state: State,
    kind: KindDef,
    family: Family,
    found: list[Situation],
    judgements: list[Judgement],
    problems: Problems,
) -> None:
    """Note conflicts, gaps, and verdicts that are needed and unknown, with the subjects concerned."""
    by_id = {rule.id: rule for rule in family.rules}
    for situation, judgement in zip(found, judgements, strict=True):
        ends = [(judgement.concluded.get(v.name), v.model.optional) for v in family.verdicts]
        has_failed = judgement.conflicts or any(e == NONE or (e == UNKNOWN and not may_be) for e, may_be in ends)
        for verdict in family.verdicts:
            concluded = judgement.concluded.get(verdict.name)
            if verdict.name not in judgement.conflicts:
                if concluded not in (NONE, UNKNOWN, None) or (concluded == UNKNOWN and verdict.model.optional):
                    continue
                if concluded is None and has_failed:
                    continue  # follows from another verdict
            in_it = exp.EQ(this=column(situation_column(family), "s"), expression=number(situation.number))
            who = ", ".join(state.display(kind, in_it))
            more = f" and {situation.subjects - 5} more" if situation.subjects > 5 else ""
            if verdict.name in judgement.conflicts:
                rules = [by_id[r] for r, _ in judgement.fired if by_id[r].verdict == verdict.name and by_id[r].source]
                written = {rule.number: rule for rule in verdict.rules}
                places = [(written[r.source].model.at, f'rule {r.source} says "{r.value[1:]}"') for r in rules]
                problems.add(
                    "R102",
                    f"rules of {kind.name}.{verdict.name} disagree for {who}{more}",
                    verdict.at,
                    also=dict.fromkeys(places),
                )
            elif concluded == UNKNOWN:
                missing = dict.fromkeys(
                    n for rule in verdict.rules if rule.when for n in missing_values(rule.when.node)
                )
                problems.add(
                    "R103",
                    f"verdict {kind.name}.{verdict.name} is unknown for {who}{more}: no {' or '.join(missing)}",
                    verdict.at,
                )
            else:
                tried = [(rule.model.at, f"rule {rule.number} does not hold") for rule in verdict.rules]
                problems.add(
                    "R101",
                    f"no rule of {kind.name}.{verdict.name} holds for {who}{more}",
                    verdict.at,
                    also=tried,
                )
