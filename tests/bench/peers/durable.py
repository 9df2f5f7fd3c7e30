"""durable-rules with a fact a member, as its manual has it; counts and ranks are by DuckDB, points by plain Python.

Evaluator asks the same library about situations instead. Here, too, the threads of its host are kept from
dispatching, since they lose conclusions without a word; a fact is taken back once it is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from durable.engine import Host

from peers.job import CONCLUDED, FEWEST, GRADES, MOST_ABSENCES, STARS, conclude, scored, table, write

FACTS = ["id", "total", "activities", "absence", "vetoed", "last_grade"]


class QuietHost(Host):
    """A host that dispatches only what is asserted."""

    def _run(self) -> None:
        pass


def least(field: str, value: int) -> dict[str, Any]:
    """Return a condition: at least so much."""
    return {"$gte": {field: value}}


def both(marks: list[int]) -> list[dict[str, Any]]:
    """Return conditions: total and activities are reached."""
    total, activities = marks
    return [least("total", total), least("activities", activities)]


def either_short(marks: list[int], absences: int | None = None) -> dict[str, Any]:
    """Return a condition: total or activities are not reached, or there are more absences than these."""
    total, activities = marks
    short: list[dict[str, Any]] = [{"$lt": {"total": total}}, {"$lt": {"activities": activities}}]
    return {"$or": short if absences is None else [*short, {"$gt": {"absence": absences}}]}


def conditions() -> dict[tuple[str, Any], list[list[dict[str, Any]]]]:
    """Return, for each verdict and value, the ways to it; each is a list of conditions and excludes the others."""
    vetoed: dict[str, Any] = {"vetoed": True}
    stays: dict[str, Any] = {"vetoed": False}
    excellent, good, (enough, _) = (marks for _, *marks in GRADES)
    few = {"$lte": {"absence": MOST_ABSENCES}}
    judged = [stays, least("activities", FEWEST)]
    fails = [[vetoed], [stays, {"$lt": {"activities": FEWEST}}], [*judged, {"$lt": {"total": enough}}]]
    found: dict[tuple[str, Any], list[list[dict[str, Any]]]] = {
        ("grade", "excellent"): [[*judged, *both(excellent), few]],
        ("grade", "good"): [[*judged, *both(good), either_short(excellent, MOST_ABSENCES)]],
        ("grade", "pass"): [
            [*judged, least("total", enough), either_short(good), either_short(excellent, MOST_ABSENCES)]
        ],
        ("grade", "fail"): fails,
        ("exit", True): [[*way, {"last_grade": "fail"}] for way in fails],
        ("star", 0): [[vetoed], [stays, either_short(list(STARS[-1][1:]))]],
    }
    above: list[int] | None = None
    for stars, *marks in STARS:
        found["star", stars] = [[stays, *both(marks), *([either_short(above)] if above else [])]]
        above = marks
    return found


def rules(concluded: dict[str, Any]) -> dict[str, Any]:
    """Return a rule for each way, which notes what is concluded."""

    def noting(verdict: str, value: Any) -> Callable[[Any], None]:
        def note(_: Any) -> None:
            concluded[verdict] = value

        return note

    ways = [(noting(*conclusion), way) for conclusion, listed in conditions().items() for way in listed]
    return {f"rule{nth}": {"all": [{"m": {"$and": way}}], "run": note} for nth, (note, way) in enumerate(ways)}


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    concluded: dict[str, Any] = {}
    host = QuietHost({"members": rules(concluded)})
    members = scored(data)
    for member in members:
        fact = {name: member[name] for name in FACTS if member[name] is not None}
        fact["member"] = fact.pop("id")  # the engine has a use of its own for that name
        concluded.clear()
        host.assert_fact("members", dict(fact))
        host.retract_fact("members", fact)
        conclude(member, concluded["grade"], concluded["star"], "exit" in concluded)
    write(table(CONCLUDED, members), out)
