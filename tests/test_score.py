"""Random scores: every line, and what is left of every record in it, as a plain program has them.

A score is a tree of lines over four sorts of works; each line may have a base, a cap and a floor, a condition, factors,
and a choice among its records; the whole may have a veto.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from pathlib import Path
from typing import Any

from conftest import SLOW, award_name, awards_of, empty_folder, examples, subjects_of, write_csv, write_pack
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.engine.awards import awards
from evaluator.engine.run import assess
from evaluator.pack.check import load_pack

PACK = """
    pack: scores
    title: {en: Scores}
    language: en
    tables:
      works:
        key: id
        date: held_on
        fields:
          id:      text
          held_on: date
          person:  {ref: person}
          worth:   number
          topic:   {type: integer, optional: true}
          sort:    {one_of: [a, b, c, d]}
"""
PERSON = """
    subject: person
    key: id
    fields:
      id:    text
      start: number
    score:
"""
STARTS = {"1": 5, "2": -4, "3": 0, "4": 1}
SIXTH = Decimal("0.000001")
PREFERENCES = {
    "worth desc": lambda award: (-award.worth,),
    "case when sort = 'b' then 1 else 0 end desc": lambda award: (0 if award.sort == "b" else 1,),
    "points": lambda award: (award.value,),
}
CONDITIONS = {"start > 0": lambda start: start > 0, "start <= 0": lambda start: start <= 0}


@dataclass
class Entering:
    """An award on its way up."""

    line: str
    what: str
    order: tuple[Any, ...]
    value: Decimal
    record: str = ""
    topic: int | None = None
    sort: str = ""
    worth: Decimal = Decimal(0)
    lost_to: str | None = None
    after: dict[str, Decimal] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.line} {self.record or self.what}"


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """A score. Below a line that chooses there are no factors, as those hide the records."""
    names = iter("abcd")
    ids = (f"l{n}" for n in count(1))

    def choice() -> dict[str, Any]:
        made: dict[str, Any] = {}
        if draw(st.integers(0, 2)) == 0:
            made["once_per"] = "topic"
            if draw(st.booleans()):
                made["prefer"] = draw(st.lists(st.sampled_from(list(PREFERENCES)), min_size=1, max_size=2, unique=True))
        if draw(st.integers(0, 2)) == 0:
            factors = st.sampled_from(["1", "0.5", "0", "0.333333", "1.5"])
            made["series"] = draw(st.dictionaries(st.integers(1, 4), factors, min_size=1, max_size=3))
            if draw(st.booleans()):
                made["order_by"] = draw(st.sampled_from([["points desc"], ["worth desc", "points"]]))
        return made

    def line(depth: int, name: str, is_chosen: bool) -> dict[str, Any]:
        made: dict[str, Any] = {"id": name}
        if draw(st.booleans()):
            made["max"] = draw(st.integers(-2, 12))
        if draw(st.booleans()):
            made["min"] = draw(st.integers(-8, min(4, made.get("max", 4))))
        if draw(st.integers(0, 4)) == 0:
            made["when"] = draw(st.sampled_from(list(CONDITIONS)))
        chosen = choice()
        if not is_chosen and draw(st.integers(0, 3)) == 0:
            when = st.sampled_from([None, *CONDITIONS])
            made["times"] = draw(
                st.lists(st.tuples(when, st.sampled_from(["0.75", "1 / 3", "-2"])), min_size=1, max_size=2)
            )
        if draw(st.integers(0, 3)) == 0:
            made["base"] = draw(st.sampled_from(["-3", "0", "5", "start"]))
        if depth < 3 and draw(st.integers(0, 2)) > 0:
            items = [line(depth + 1, next(ids), is_chosen or bool(chosen)) for _ in range(draw(st.integers(1, 3)))]
            if items := [item for item in items if item]:
                return made | chosen | {"items": items}
        if (sort := next(names, None)) is None:
            return {}
        return made | chosen | {"sort": sort}

    root = line(0, "total", False) or {"id": "total", "sort": "a"}
    if draw(st.booleans()):
        root["veto"] = draw(
            st.lists(st.tuples(st.sampled_from(list(CONDITIONS)), st.integers(-1, 9)), min_size=1, max_size=2)
        )
    return root


def yaml_of(line: dict[str, Any], indent: int) -> str:
    """Write a line of the score."""
    made = {
        name: line[name] for name in ("base", "min", "max", "when", "once_per", "prefer", "order_by") if name in line
    }
    if line["id"] != "total":
        made = {"id": line["id"]} | made
    if "sort" in line:
        made |= {"each": "works", "where": f"sort = '{line['sort']}'", "points": "worth"}
    pad = " " * indent
    text = ""
    for name, value in made.items():
        if isinstance(value, list):
            text += f"{pad}{name}:\n" + "".join(f"{pad}  - {item}\n" for item in value)
        else:
            text += f"{pad}{name}: {value}\n"
    if "series" in line:
        text += f"{pad}series: {{{', '.join(f'{n}: {by}' for n, by in line['series'].items())}}}\n"
    for name, value in (("times", "by"), ("veto", "to")):
        if name in line:
            whens = [(f"when: {when}, " if when else "") + f"{value}: {by}" for when, by in line[name]]
            text += f"{pad}{name}:\n" + "".join(f"{pad}  - {{{one}}}\n" for one in whens)
    if "items" in line:
        text += f"{pad}items:\n"
        for item in line["items"]:
            inner = yaml_of(item, indent + 4)
            text += f"{pad}  - " + inner[indent + 4 :]
    return text


works = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.sampled_from("abcd"),
        st.sampled_from(["-3", "-0.000001", "0", "1", "2.5", "4", "7"]),
        st.sampled_from(["2021-01-01", "2021-06-01", "2021-06-02", "2020-12-31"]),
        st.sampled_from(["", "1", "2", "3"]),
    ),
    max_size=25,
)


# --- the plain program ---


def rounded(value: Decimal) -> Decimal:
    return value.quantize(SIXTH, ROUND_HALF_UP)


def clamp(entering: list[Entering], low: int | None, high: int | None) -> None:
    """Take a cap's excess from the positive awards and give a floor's shortfall to the negative ones, last first.

    What then is still to be taken or given is the line's own, which comes first.
    """
    entering.sort(key=lambda award: award.order)
    total = sum((award.value for award in entering), Decimal(0))
    over = max(total - high, Decimal(0)) if high is not None else Decimal(0)
    under = max(low - total, Decimal(0)) if low is not None else Decimal(0)
    for award in reversed(entering):
        if award.value > 0:
            taken = min(award.value, over)
            award.value, over = award.value - taken, over - taken
        else:
            given_back = min(-award.value, under)
            award.value, under = award.value + given_back, under - given_back
    if over or under:
        entering[0].value += under - over


def choose(line: dict[str, Any], entering: list[Entering]) -> None:
    """Keep one award for each topic, then multiply by the factors of the series."""
    live = [award for award in entering if award.record and award.lost_to is None]
    if "once_per" in line:
        for topic in {award.topic for award in live} - {None}:
            wanted = [PREFERENCES[name] for name in line.get("prefer", [])] or [lambda award: (-award.value,)]
            same = [award for award in live if award.topic == topic]
            same.sort(key=lambda award: (*(wanted_by(award) for wanted_by in wanted), award.order))
            for award in same[1:]:
                award.lost_to, award.value = same[0].record, Decimal(0)
    if "series" in line:
        live = [award for award in live if award.lost_to is None]
        keys = {"points desc": lambda award: -award.value, "worth desc": lambda award: -award.worth,
                "points": lambda award: award.value}  # fmt: skip
        live.sort(key=lambda award: (*(keys[name](award) for name in line.get("order_by", [])), award.order))
        for nth, award in enumerate(live, 1):
            reached = [start for start in line["series"] if start <= nth]
            if reached:
                award.value = rounded(award.value * Decimal(line["series"][max(reached)]))


def brute(
    line: dict[str, Any], who: str, rows: list[Any], places: dict[str, int]
) -> tuple[Decimal, list[Entering], list[Entering]]:
    """Return the points of a line, what goes up from it, and the awards that stay in it or below."""
    start, name = STARTS[who], line["id"]
    entering: list[Entering] = []
    stay: list[Entering] = []
    if "base" in line or line.get("min", 0) > 0 or line.get("max", 0) < 0:
        base = start if line.get("base") == "start" else int(line.get("base", 0))
        entering.append(Entering(name, "own", (0, "", "", places[name]), Decimal(base)))
    for key, day, person, worth, sort, topic in rows:
        if person == int(who) and sort == line.get("sort") and day >= "2021":
            value = Decimal(worth)
            made = Entering(
                name, "record", (1, day, key, places[name]), value, key, int(topic) if topic else None, sort, value
            )
            entering.append(made)
    for item in line.get("items", []):
        _, up, kept = brute(item, who, rows, places)
        entering += up
        stay += kept
    choose(line, entering)
    applies = "when" not in line or CONDITIONS[line["when"]](start)
    changes: list[Entering] = []
    is_one = "times" in line
    if is_one:
        before = sum((award.value for award in entering), Decimal(0))
        thirds = 0
        after = before
        for when, by in line["times"]:
            if when is None or CONDITIONS[when](start):
                thirds += by == "1 / 3"
                after *= {"0.75": Decimal("0.75"), "1 / 3": Decimal(1), "-2": Decimal(-2)}[by]
        after = divided(after, 3**thirds)
        points = after
        if "max" in line:
            points = min(points, line["max"])
        if "min" in line:
            points = max(points, line["min"]) if "max" not in line else min(max(after, line["min"]), line["max"])
        points = Decimal(points)
        order = (0, "", "", places[name])
        changes.append(Entering(name, "times", order, points - before if applies else Decimal(0)))
        total = points
    else:
        if entering:
            clamp(entering, line.get("min"), line.get("max"))
        total = sum((award.value for award in entering), Decimal(0))
    if "veto" in line:
        vetoed = next((Decimal(to) for when, to in line["veto"] if CONDITIONS[when](start)), total)
        change = vetoed - total if applies else Decimal(0)
        changes.append(Entering(name, "veto", (0, "", "", places[name]), change))
        total = vetoed
    if not applies:
        total = Decimal(0)
        for award in entering:
            award.value = Decimal(0)
    for award in (*entering, *changes):
        award.after[name] = award.value
    if is_one:
        up = Entering(
            name, "times", changes[0].order, total if "veto" not in line else Decimal(0), after=changes[0].after
        )
        return total, [up], stay + entering + changes[1:]
    return total, entering + changes, stay


def divided(value: Decimal, by: int) -> Decimal:
    """Divide, and round once, half away from zero, to six places."""
    from fractions import Fraction

    scaled = Fraction(value) * 10**6 / by
    whole = int(abs(scaled) + Fraction(1, 2))
    return Decimal(whole if scaled >= 0 else -whole) / 10**6


def ids_of(line: dict[str, Any]) -> Iterable[str]:
    yield line["id"]
    for item in line.get("items", []):
        yield from ids_of(item)


@given(trees(), works)
@settings(max_examples=examples(25), **SLOW)
def test_random_scores(tmp_path: Path, tree: dict[str, Any], records: list[Any]) -> None:
    """Points of every line, and what is left of each record after each line from its own to the total."""
    home = empty_folder(tmp_path / "scores")
    pack = write_pack(home / "pack", pack=PACK)
    head = "\n".join(line[4:] for line in PERSON.strip("\n").splitlines())
    (pack / "person.yaml").write_text(f"{head}\n{yaml_of(tree, 2)}", encoding="utf-8")
    write_csv(home / "data" / "person.csv", ("id", "start"), STARTS.items())
    rows = [(f"w{n:02}", day, who, worth, sort, topic) for n, (who, sort, worth, day, topic) in enumerate(records)]
    write_csv(home / "data" / "works.csv", ("id", "held_on", "person", "worth", "sort", "topic"), rows)
    places = {id_: place for place, id_ in enumerate(ids_of(tree))}
    with assess(load_pack(pack), home / "data", 2021, []) as assessment:
        state, kind = assessment.state, assessment.pack.kinds["person"]
        totals = {row["key"]: row["total"] for row in subjects_of(state, kind)}
        found = awards_of(state, kind, subjects_of(state, kind))
        lost = {(key, award_name(award)): award.lost_to for key, award in awards(state, kind)}
    for who in STARTS:
        total, up, stay = brute(tree, who, rows, places)
        assert totals[who] == total, who
        expected = {award.name: award.after for award in (*stay, *up)}
        assert found.get(who, {}) == expected, who
        for award in (*stay, *up):
            assert lost[who, award.name] == award.lost_to, (who, award.name)
