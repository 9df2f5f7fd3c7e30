"""What every explanation has to agree with: the table of subjects, and the awards of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evaluator.engine.awards import Award, awards
from evaluator.pack.definitions import KindDef
from evaluator.report.explaining import explain as module
from evaluator.report.explaining.explain import Explanation
from evaluator.report.reopen import PastRun, reopen


@contextmanager
def quick(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PastRun, dict[tuple[str, str], list[Award]]]]:
    """Reopen a run so that explaining all its subjects takes seconds: tables in memory, all awards at once."""
    with reopen(folder) as run:
        for name in run.pack.tables:
            sql = run.state.db.connection.execute
            sql(f'create table work."copy {name}" as from data."{name}"')
            sql(f'drop view data."{name}"')
            sql(f'create table data."{name}" as from work."copy {name}"')
        found: dict[tuple[str, str], list[Award]] = {}
        for kind in run.pack.kinds.values():
            for key, award in awards(run.state, kind):
                found.setdefault((kind.name, key), []).append(award)
        numbers = {
            (kind.name, sid): key
            for kind in run.pack.kinds.values()
            for sid, key in run.state.db.connection.execute(f'select "#sid", "#key" from data."{kind.name}"').fetchall()
        }

        def known(_: object, kind: KindDef, sid: int) -> list[tuple[str, Award]]:
            key = numbers[kind.name, sid]
            return [(key, award) for award in found.get((kind.name, key), [])]

        monkeypatch.setattr(module, "awards", known)
        yield run, found


def says_what_is_stored(made: Explanation, row: dict[str, Any]) -> None:
    stored = {"total": row.get("total"), "is_assessed": row["is_assessed"], "reason": row["reason"]}
    assert {"total": made.total, "is_assessed": made.is_assessed, "reason": made.set_apart} == stored
    values = dict(made.fields) | dict(made.measures)
    assert values == {name: row[name] for name in values}
    fields = [name for name, field in made.kind.table.fields.items() if field.type.base != "ref"]
    assert set(values) == {*fields, *made.kind.measures}
    for line in made.lines:
        name = line.definition.id
        assert line.before_bounds == row[f"raw.{name}"]
        assert line.points == row["total" if name == "total" else f"points.{name}"]
        assert line.records == row.get(f"n.{name}")
    assert [line.definition.id for line in made.lines] == [one.id for one in made.kind.lines if row["is_assessed"]]
    for verdict in made.verdicts:
        name = verdict.definition.name
        assert verdict.value == row[name]
        if verdict.rules and verdict.override is None and verdict.definition.model.pick == "first":
            *failed, decided = verdict.rules
            assert (decided.definition.number, decided.decided) == (row[f"rule.{name}"], True)
            assert decided.condition is None or decided.condition.is_met
            assert not any(rule.decided or rule.condition.is_met for rule in failed if rule.condition)
        if verdict.definition.form == "quota":
            assert (verdict.place, verdict.take) == (row[f"place.{name}"], row[f"take.{name}"])
            assert verdict.value is (verdict.place is not None and verdict.place <= (verdict.take or 0))
    names = [verdict.definition.name for verdict in made.verdicts]
    assert names == ([*made.kind.verdicts] if row["is_assessed"] else [])


def adds_up(made: Explanation, found: list[Award]) -> None:
    """Each point is some record's, or a line's own, and nothing is counted twice."""
    shown = [one for line in made.lines for one in line.evidence]
    without_record = sum((a.awards.get("total", Decimal(0)) for a in found if a.record is None), Decimal(0))
    if made.total is not None and not any(line.definition.times for line in made.lines):
        assert made.total == sum((one.counts for one in shown), without_record)
    for line in made.lines:
        plain = [one for one in line.evidence if one.lost_to is None and one.factor in (None, 1)]
        if line.applies and line.definition.aggregate is not None and len(plain) == len(line.evidence):
            assert len(plain) == line.records
            if not line.definition.times:
                base = [
                    a.points for a in found if a.line == line.definition.id and a.what == "own" and a.record is None
                ]
                assert line.before_bounds == sum((one.points for one in plain), sum(base, Decimal(0)))
        for one in plain:
            assert bool(one.cut_by) is (one.counts != one.points)
