"""openfisca-core: a tax-benefit system of one entity with whole-column formulas; counts and ranks are by DuckDB."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from openfisca_core.entities import build_entity
from openfisca_core.indexed_enums import Enum
from openfisca_core.periods import DateUnit
from openfisca_core.simulations import SimulationBuilder
from openfisca_core.taxbenefitsystems import TaxBenefitSystem
from openfisca_core.variables import Variable

from peers.job import ABSENCE, CONCLUDED, COUNTS, EXTRAS, FEWEST, GRADES, KINDS, MOST_ABSENCES, STARS, counted, write

YEAR = 2025
Member = build_entity(key="member", plural="members", label="member", is_person=True)


class Grade(Enum):
    """The grades, and what stands for none."""

    none, failed, passed, good, excellent = "none", "fail", "pass", "good", "excellent"


def variable(name: str, kind: type, formula: Callable[..., Any] | None = None, **more: Any) -> type[Variable]:
    """Return a variable of a member and a year; without a formula it is given."""
    body = {"value_type": kind, "entity": Member, "definition_period": DateUnit.YEAR, "label": name, **more}
    return type(name, (Variable,), body if formula is None else {**body, "formula": formula})


def capped(lines: dict[str, tuple[int, int]]) -> Callable[..., Any]:
    """Return a formula: the sum of capped lines."""
    return lambda member, year: sum(np.minimum(member(name, year) * each, most) for name, (each, most) in lines.items())


def total(member: Any, year: Any) -> Any:
    """Return points in all."""
    return member("base", year) + member("bonus", year) - ABSENCE * member("absence", year)


def reached(member: Any, year: Any, rules: list[tuple[Any, int, int]]) -> list[Any]:
    """Return whether each mark is met."""
    points, activities = member("total", year), member("activities", year)
    return [(points >= least) & (activities >= fewest) for _, least, fewest in rules]


def grade(member: Any, year: Any) -> Any:
    """Return the first grade whose condition holds."""
    excellent, *others = reached(member, year, GRADES)
    few = member("absence", year) <= MOST_ABSENCES
    fails = member("vetoed", year) | (member("activities", year) < FEWEST)
    values = [Grade.failed, *(Grade(name) for name, *_ in GRADES)]
    return np.select([fails, excellent & few, *others], values, Grade.failed)


def star(member: Any, year: Any) -> Any:
    """Return the most stars whose condition holds."""
    return np.select([member("vetoed", year), *reached(member, year, STARS)], [0, *(stars for stars, *_ in STARS)], 0)


def final(member: Any, year: Any) -> Any:
    """Return the total with what stars add."""
    stars = member("star", year)
    return member("total", year) + np.where(stars >= 3, 20 * (stars - 2), 0)


def leaves(member: Any, year: Any) -> Any:
    """Return whether a member failed in this year and the last."""
    return (member("grade", year) == Grade.failed) & (member("grade", year.last_year) == Grade.failed)


def system() -> TaxBenefitSystem:
    """Return the rules."""
    rules = TaxBenefitSystem([Member])
    rules.add_variables(
        *(variable(name, int) for name in COUNTS),
        variable("vetoed", bool),
        variable("activities", int, lambda member, year: sum(member(kind, year) for kind in KINDS)),
        variable("base", int, capped(KINDS)),
        variable("bonus", int, capped(EXTRAS)),
        variable("total", int, total),
        variable("grade", Enum, grade, possible_values=Grade, default_value=Grade.none),
        variable("star", int, star),
        variable("final", int, final),
        variable("exit", bool, leaves),
    )
    return rules


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    members = counted(data)
    simulation = SimulationBuilder().build_default_simulation(system(), members.num_rows)
    for name in [*COUNTS, "vetoed"]:
        simulation.set_input(name, YEAR, members[name].to_numpy())
    last = members["last_grade"].fill_null("none").to_numpy(zero_copy_only=False)
    simulation.set_input("grade", YEAR - 1, np.select([last == one.value for one in Grade], list(Grade), Grade.none))
    columns = {name: members[name] for name in ("id", "sector", "absence")}
    for name in CONCLUDED:
        if name not in columns:
            columns[name] = np.asarray(simulation.calculate(name, YEAR))
    columns["grade"] = np.array([one.value for one in Grade])[columns["grade"]]
    write(pa.table(columns), out)
