"""Totals by group in two runs: how many, sum, mean, least and most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from sqlglot import exp

from evaluator.data.history import stored_as
from evaluator.diagnostics import Problems, closest
from evaluator.pack.definitions import Formula, KindDef, Pack
from evaluator.pack.nodes import Name
from evaluator.report.comparing.impact import GroupTotals, Totals
from evaluator.report.words import plain_fraction, plain_number
from evaluator.sql.backend import Database
from evaluator.sql.duck import DuckDatabase
from evaluator.sql.trees import cast, column, parquet

MEAN_PLACES = 6


def grouping(old: Pack, new: Pack, asked: Sequence[str], problems: Problems) -> dict[str, list[str]]:
    """Return kind → the fields by which its totals are grouped: those asked for, or those that the pack groups by.

    Fields are asked for as `field` or `kind.field`. A pack groups by fields with a list of values, and by those that
    rosters and quotas are apart by.
    """
    shared = [name for name, kind in new.kinds.items() if kind.score and name in old.kinds and old.kinds[name].score]
    known = {name: [f for f in new.kinds[name].table.fields if f in old.kinds[name].table.fields] for name in shared}
    if not asked:
        return {name: [f for f in known[name] if f in _declared(new.kinds[name])] for name in shared}
    found: dict[str, list[str]] = {name: [] for name in shared}
    for wanted in asked:
        fits = [(name, field) for name in shared for field in known[name] if wanted in (field, f"{name}.{field}")]
        for name, field in fits:
            found[name].append(field)
        if not fits:
            names = list(dict.fromkeys(field for fields in known.values() for field in fields))
            near = closest(wanted, names)
            fix = f"write {near}" if near else f"use one of {', '.join(names)}"
            problems.add("R213", f'no kind with a score has the field "{wanted}" in both packs', fix=fix)
    return found


def _declared(kind: KindDef) -> set[str]:
    """Return the fields a pack itself groups the subjects of a kind by."""
    apart = [roster.within for roster in kind.rosters] + [verdict.within for verdict in kind.verdicts.values()]
    listed = {name for name, field in kind.table.fields.items() if field.type.values}
    return listed | {name for formula in apart if (name := _field(formula)) is not None}


def _field(formula: Formula | None) -> str | None:
    node = formula.node if formula is not None else None
    return node.leaf if isinstance(node, Name) and not node.hops else None


def totals_of(folders: tuple[Path, Path], groups: dict[str, list[str]]) -> Iterator[GroupTotals]:
    """Give the totals of each kind, of all its subjects first, then of each group, by the value of its field."""
    database = DuckDatabase()
    try:
        for kind, fields in groups.items():
            for by in ("", *fields):
                before, after = (_totals(database, folder, kind, by) for folder in folders)
                for group in sorted(before.keys() | after.keys(), key=lambda value: (value is None, value or "")):
                    yield GroupTotals(kind=kind, by=by, group=group, before=before.get(group), after=after.get(group))
    finally:
        database.close()


def _totals(database: Database, folder: Path, kind: str, by: str) -> dict[str | None, Totals]:
    file = exp.alias_(parquet(folder / "subjects" / f"{kind}.parquet"), "s", table=True)
    group = cast(column(stored_as(by), "s") if by else exp.Null(), "TEXT")
    total = column("total", "s")
    query = exp.select(
        group, exp.Count(this=exp.Star()), exp.Sum(this=total), exp.Min(this=total.copy()), exp.Max(this=total.copy())
    ).from_(file, copy=False)
    query = query.where(column("is_assessed", "s"), copy=False).group_by(group.copy(), copy=False)
    return {
        name: Totals(
            subjects=count, sum=plain_number(Decimal(added)), least=plain_number(least), most=plain_number(most),
            mean=plain_fraction(rounded(Fraction(added) / count, MEAN_PLACES)),
        )
        for name, count, added, least, most in database.rows(query)
        if count
    }  # fmt: skip


def rounded(value: Fraction, places: int) -> Fraction:
    """Round half away from zero.

    >>> rounded(Fraction(-1, 8), 2), rounded(Fraction(1, 3), 2)
    (Fraction(-13, 100), Fraction(33, 100))
    """
    unit = 10**places
    whole = (abs(value) * unit + Fraction(1, 2)) // 1
    return Fraction(int(whole) * (-1 if value < 0 else 1), unit)


def has_changed(listed: Iterable[GroupTotals]) -> bool:
    """Whether any of these totals is another one after the change."""
    return any(one.before != one.after for one in listed)
