"""Random packs over random data: every measure, line, verdict and rank of a run, against a plain program.

The tables are the same in each pack; measures, score, verdicts and rosters of two kinds are drawn, each reading what
was drawn before it. Where the plain program finds that a run must stop, it must stop with one of the codes that names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from textwrap import dedent
from typing import Any
from unittest import mock

import pytest
import test_score
from conftest import SLOW, empty_folder, examples, rows_of, write_csv, write_pack
from hypothesis import event, given, settings
from hypothesis import strategies as st
from plain import YEAR_END, Aggregate, At, HasStoppedError, Line, Order, Quota, Roster, Whole, World
from sayings import (
    ATOM,
    COMPARE,
    COMPARISONS,
    Draw,
    Maker,
    Row,
    Said,
    Words,
    among,
    arithmetic,
    call,
    coalesce,
    column_size,
    compare,
    is_null,
    known_of,
    literal,
    number,
)
from test_decide import Verdict

import evaluator
from evaluator.data.history import stored_as
from evaluator.diagnostics import Stop

PACK = """
    pack: random
    title: {en: Random}
    language: en
    terms: [{name: now, from: 2020-07-01, to: 2022-06-30}]
    tables:
      works:
        key: id
        date: held_on
        fields:
          id:      text
          held_on: date
          person:  {ref: member}
          worth:   number
          topic:   {type: integer, optional: true}
          sort:    {one_of: [a, b, c, d]}
          hours:   {type: number, optional: true}
          fine:    {type: boolean, optional: true}
      joint:
        key: no
        date: held_on
        fields:
          no:      text
          held_on: date
          size:    integer
          extra:   {type: number, optional: true}
          host:    {ref: member, optional: true}
          checker: {ref: member, optional: true}
      shares:
        unfold: joint
        into: member
        label: part
        columns: {lead: [leads], helper: [helpers]}
        separators: [;]
        fields: {who: {ref: member}}
"""
KINDS = {
    "member": """
subject: member
key: id
fields:
  id:      text
  station: {ref: station, optional: true}
  x:       {type: number, optional: true}
  n:       integer
  able:    boolean
  maybe:   {type: boolean, optional: true}
  g:       {one_of: [p, q]}
  joined:  {type: date, optional: true}
""",
    "station": """
subject: station
key: id
fields:
  id:   text
  y:    {type: number, optional: true}
  m:    integer
  open: boolean
""",
}
HEADINGS = {
    "member": ("id", "station", "x", "n", "able", "maybe", "g", "joined"),
    "station": ("id", "y", "m", "open"),
    "works": ("id", "held_on", "person", "worth", "topic", "sort", "hours", "fine"),
    "joint": ("no", "held_on", "size", "extra", "host", "checker", "leads", "helpers"),
}
DAYS = [dt.date(2021, 1, 1), dt.date(2021, 6, 30), dt.date(2021, 12, 31), dt.date(2020, 12, 31), dt.date(2020, 7, 1),
        dt.date(2020, 6, 30), dt.date(2019, 12, 31), dt.date(2022, 1, 1), dt.date(2021, 3, 8)]  # fmt: skip
LEVELS = ("low", "mid", "top")
CODES = {"gap": "R101", "conflict": "R102", "unknown": "R103"}


# --- data -------------------------------------------------------------------------------------------------


def fractions(*written: str | None) -> st.SearchStrategy[Fraction | None]:
    return st.sampled_from([None if text is None else Fraction(text) for text in written])


def dicts(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(parts)


MEMBERS = dicts(
    station=st.sampled_from(["A", "A", "B", "B", "C", None]), x=fractions("0", "0.5", "2", "2", "3.333333", "-1", None),
    n=fractions("0", "1", "2", "2", "5", "-1"), able=st.booleans(), maybe=st.sampled_from([True, False, None]),
    g=st.sampled_from("pq"), joined=st.sampled_from([*DAYS, None]),
)  # fmt: skip
STATIONS = dicts(
    y=fractions("0", "1.5", "4", None), m=fractions("0", "1", "2"), open=st.sampled_from([True] * 5 + [False]),
)  # fmt: skip


@st.composite
def worlds(draw: Draw) -> World:
    members = [{"id": str(i)} | row for i, row in enumerate(draw(st.lists(MEMBERS, min_size=4, max_size=9)), 1)]
    stations = [{"id": i} | draw(STATIONS) for i in "ABC"]
    keys = st.sampled_from([row["id"] for row in members])
    work = dicts(
        held_on=st.sampled_from(DAYS), person=keys, worth=fractions("-3", "-0.000001", "0", "1", "2.5", "4", "7"),
        topic=fractions(None, "1", "2", "3"), sort=st.sampled_from("abcd"), hours=fractions(None, "0", "1", "2.5"),
        fine=st.sampled_from([True, False, None]),
    )  # fmt: skip
    record = dicts(
        held_on=st.sampled_from(DAYS), size=fractions("0", "1", "2", "7"), extra=fractions(None, "0", "1", "2.5"),
        host=st.none() | keys, checker=st.none() | keys, names=st.lists(keys, max_size=4, unique=True),
        leads=st.integers(0, 4),
    )  # fmt: skip
    many_works, many_records = draw(st.sampled_from([0, 8, 16])), draw(st.sampled_from([0, 4, 8]))
    drawn_works = draw(st.lists(work, min_size=many_works, max_size=24))
    drawn_records = draw(st.lists(record, min_size=many_records, max_size=12))
    works = [{"id": f"w{i:02}"} | row for i, row in enumerate(drawn_works)]
    joint = [{"no": f"j{i:02}"} | row for i, row in enumerate(drawn_records)]
    shares = [
        row | {"who": who, "position": Fraction(place), "people": Fraction(len(row["names"])),
               "part": "lead" if place <= row["leads"] else "helper"}
        for row in joint for place, who in enumerate(row["names"], 1)
    ]  # fmt: skip
    kinds = {"member": {row["id"]: row for row in members}, "station": {row["id"]: row for row in stations}}
    return World(kinds, {"works": works, "joint": joint, "shares": shares})


def write_data(folder: Path, world: World) -> None:
    rows = {name: list(kind.values()) for name, kind in world.kinds.items()} | world.tables
    for name, headings in HEADINGS.items():
        made = [[cell_text(row, heading) for heading in headings] for row in rows[name]]
        write_csv(folder / f"{name}.csv", headings, made)
    (folder / "data.yaml").write_text("covers: {from: 2018-01-01, to: 2022-12-31}\n", encoding="utf-8")


def cell_text(row: Row, heading: str) -> str:
    if heading in ("leads", "helpers"):
        return ";".join(row["names"][: row["leads"]] if heading == "leads" else row["names"][row["leads"] :])
    value = row[heading]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Fraction):
        return f"{decimal(value):f}"
    return "" if value is None else str(value)


# --- what expressions are made of -------------------------------------------------------------------------


def leaf(name: str, kind: str) -> Said:
    size = column_size(1000, kind == "integer") if kind in ("number", "integer") else literal(True).size
    return Said(name, ATOM, kind, lambda row: row[name], size)


def is_value(name: str, values: tuple[str, ...], op: str, value: str) -> Said:
    """Compare a name that has a list of values; by their order, but for = and <>."""

    def holds(row: Row) -> bool | None:
        places = [None if row[name] is None else values.index(row[name]), values.index(value)]
        return known_of(places, COMPARISONS[op])

    return Said(f"{name} {op} '{value}'", COMPARE, "boolean", holds)


FIELDS: dict[str, list[tuple[str, str]]] = {
    "member": [("x", "number"), ("n", "integer"), ("able", "boolean"), ("maybe", "boolean"), ("joined", "date"),
               ("id", "text"), ("g", "pq")],
    "station": [("y", "number"), ("m", "integer"), ("open", "boolean"), ("id", "text")],
    "works": [("worth", "number"), ("topic", "integer"), ("hours", "number"), ("fine", "boolean"), ("held_on", "date"),
              ("id", "text"), ("sort", "abcd")],
    "joint": [("size", "integer"), ("extra", "number"), ("held_on", "date"), ("no", "text")],
    "shares": [("size", "integer"), ("extra", "number"), ("held_on", "date"), ("no", "text"), ("position", "integer"),
               ("people", "integer")],
}  # fmt: skip


class Small(Maker):
    """Random expressions with constants that are near the data."""

    def leaf(self, kind: str) -> Said:
        if kind in ("number", "integer") and self.draw(st.integers(0, 2)) == 0:
            parts = ["0.5", "1.5", "0.333333"] if kind == "number" else []
            return number(self.pick(["0", "1", "2", "3", "5", *parts]))
        return super().leaf(kind)


@dataclass
class Author:
    """Writes a pack, value by value."""

    draw: Draw
    known: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: {k: list(v) for k, v in FIELDS.items()})
    """Kind or table to the names that may be read so far, with their types."""
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    steps: list[tuple[str, str, Callable[[World], dict[str, Any]]]] = field(default_factory=list)
    rosters: list[tuple[str, Roster]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == one_in

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(list(options)))

    # --- names

    def leaves(self, table: str, prefix: str = "") -> list[Said]:
        made: list[Said] = []
        for name, kind in self.known[table]:
            full = prefix + name
            if kind in ("pq", "abcd"):
                made += [is_value(full, tuple(kind), op, self.pick(kind)) for op in ("=", "<>")]
                this = leaf(full, "text")
                some = [literal(v) for v in self.pick([kind[:1], kind[:2]])]
                made.append(among(this, some, self.pick(["in", "not in"])))
            elif kind == "levels":
                ops = [self.pick(["=", "<>"]), self.pick(["<", "<=", ">", ">="])]
                made += [is_value(full, LEVELS, op, self.pick(LEVELS)) for op in ops]
                made.append(is_null(leaf(full, "text"), self.pick(["is null", "is not null"])))
            else:
                made.append(leaf(full, kind))
        return made

    def words(self, table: str, subject: str | None = None) -> Words:
        """Return the names of a row of a table; `subject` is the kind it counts for, if it is a record."""
        made = self.leaves(table)
        if table == "member" and subject is None:
            made += self.leaves("station", "station.")
        elif table in ("works", "joint", "shares"):
            person = {"works": "person", "joint": "host", "shares": "who"}[table]
            made += self.leaves("member", f"{person}.")
            if self.chance(2):
                made += self.leaves("station", f"{person}.station.")
        if subject is not None:
            made += self.leaves(subject, f"{subject}.")
        return Words([*made, literal(True), literal(False)])

    def condition(self, words: Words, is_known: bool = False) -> Said:
        maker, how = Small(words, self.draw), self.draw(st.integers(0, 5))
        if how <= 2:
            number_leaf = self.pick(words.leaves["number"] + words.leaves["integer"])
            made = compare(self.pick(["<", "<=", ">", ">=", "=", "<>"]), number_leaf, maker.leaf(number_leaf.type))
        elif how == 3:
            made = self.pick(words.leaves["boolean"])
        else:
            made = maker.make("boolean", 2)
        return coalesce([made, literal(False)], False) if is_known and self.chance(2) else made

    def amount(self, words: Words, is_known: bool = False, kind: str = "number") -> Said:
        maker, how = Small(words, self.draw), self.draw(st.integers(0, 4))
        if how <= 1:
            made = self.pick(words.leaves[kind] + (words.leaves["integer"] if kind == "number" else []))
        elif how == 2 and kind == "number":
            made = arithmetic("/", maker.leaf("number"), maker.leaf("number"))
        else:
            made = maker.make(kind, 2)
        if made.size.value > 3.01:
            bounded = call("clamp", [made, number("-1000"), number("1000")], made.type,
                           lambda v, low, high: max(low, min(v, high)))  # fmt: skip
            made = replace(bounded, size=replace(made.size, value=3.0))
        return coalesce([made, number("1")], False) if is_known and not self.chance(12) else made

    def maybe(self, one_in: int, make: Callable[..., Said], *given: Any) -> Said | None:
        return make(*given) if self.chance(one_in) else None

    # --- values

    def add(self, kind: str, name: str, type_: str, text: str, compute: Callable[[World], dict[str, Any]]) -> None:
        self.texts[kind, name] = text
        self.steps.append((kind, name, compute))
        self.known[kind].append((name, type_))

    def measure(self, kind: str, name: str) -> None:
        what = self.pick(["records", "records", "value", "peers", "children" if kind == "station" else "peers"])
        self.seen.add(f"measure {what}")
        if what == "value":
            type_ = self.pick(["number", "number", "integer", "boolean"])
            words = self.words(kind)
            said = self.condition(words) if type_ == "boolean" else self.amount(words, kind=type_)
            self.add(kind, name, said.type, f'"{said.text}"', of_each(kind, said))
            return
        made = {"records": self.of_records, "peers": self.of_peers, "children": self.of_children}[what](kind)
        if made.op in ("count", "distinct", "rank"):
            type_ = "integer"
        elif made.op == "any":
            type_ = "boolean"
        else:
            assert made.operand is not None
            type_ = made.operand.type
        self.seen.add(f"{what} {made.op}")
        self.add(kind, name, type_, made.yaml(), lambda world: made.values(world, kind))

    def aggregate(self, ops: list[str], of: str, words: Words) -> Aggregate:
        op = self.pick(ops)
        operand = None
        if op == "any":
            operand = self.condition(words)
        elif op == "distinct" and self.chance(2):
            types = [type_ for type_ in ("text", "date") if type_ in words.leaves]
            operand = Small(words, self.draw).make(self.pick(types), 1)
        elif op != "count":
            operand = self.amount(words)
        default = Fraction(7) if op in ("min", "max") and self.chance(2) else None
        return Aggregate(op, of, operand, self.maybe(2, self.condition, words), default=default)

    def of_records(self, kind: str) -> Aggregate:
        ways: dict[str, list[tuple[str, ...]]] = {
            "works": [("person",)],
            "joint": [("host",), ("checker",), ("host", "checker")],
            "shares": [("who",), ("who", "host")],
        }
        table = self.pick(ways)
        made = self.aggregate(["count", "sum", "min", "max", "any", "distinct"], table, self.words(table, kind))
        chosen = self.pick(ways[table])
        if kind == "station":
            chosen = tuple(f"{way}.station" for way in chosen)
        period = self.pick(["year", "year", "6", "18", "24", "term", "all"])
        self.seen |= {f"period {period}", f"{len(chosen)} ways of {table} to {kind}"}
        return replace(made, ways=chosen, needs_via=kind == "station" or table != "works", period=period)

    def of_children(self, kind: str) -> Aggregate:
        return self.aggregate(["count", "sum", "min", "max", "any", "distinct"], "member", self.words("member", kind))

    def group(self, kind: str) -> Said:
        """Return a value that several subjects have in common."""
        words = self.words(kind)
        if kind == "member" and self.chance(3):
            return leaf("g", "text")
        return self.pick([*words.leaves["integer"], *words.leaves["boolean"]])

    def of_peers(self, kind: str) -> Aggregate:
        words = self.words(kind)
        within = "all" if self.chance(3) else self.group(kind)
        made = self.aggregate(["count", "sum", "min", "max", "any", "distinct", "rank", "rank", "rank"], kind, words)
        return replace(made, within=within, is_desc=made.op == "rank" and self.chance(2))

    # --- verdicts

    def verdict(self, kind: str, name: str) -> None:
        form = self.pick(["rules", "rules", "yes_no", "formula", "quota"])
        if form == "formula":
            self.formula(kind, name)
        elif form == "quota":
            self.quota(kind, name)
        else:
            self.rules(kind, name, form)

    def rules(self, kind: str, name: str, form: str) -> None:
        words = self.words(kind)
        if form == "yes_no":
            made = Verdict(name, form, (True, False), False, "first", False, ((True, self.condition(words)),))
        else:
            pick = self.pick(["first", "first", "highest", "one"])
            rules: list[tuple[Any, Said | None]] = [
                (self.pick(LEVELS), self.condition(words, is_known=True)) for _ in range(self.draw(st.integers(1, 3)))
            ]
            if pick == "one" and not self.chance(3):
                rules = [(rules[0][0], when) for _, when in rules]
            if not self.chance(20):
                rules.append((self.pick(LEVELS), None))
            made = Verdict(name, form, LEVELS, True, pick, not self.chance(6), tuple(rules))
        self.seen.add(f"{form} {made.pick}")

        def compute(world: World) -> dict[str, Any]:
            values: dict[str, Any] = {}
            for at in world.subjects(kind):
                how, value, _ = made.concludes(as_row(at)) if at["is_assessed"] else ("none", None, 0)
                world.notes[f"{form} {made.pick} {how}"] += 1
                if how in CODES and not (how == "unknown" and made.optional):
                    world.stop(CODES[how])
                values[at.key] = value
            return values

        self.add(kind, name, "boolean" if form == "yes_no" else "levels", made.yaml(), compute)

    def formula(self, kind: str, name: str) -> None:
        words = self.words(kind)
        type_ = self.pick(["number", "number", "boolean", "integer"])
        is_optional = self.chance(2)
        if type_ == "boolean":
            said = self.condition(words, not is_optional)
        else:
            said = self.amount(words, not is_optional, type_)
        self.seen.add("formula")

        def compute(world: World) -> dict[str, Any]:
            values = {at.key: at.says(said) if at["is_assessed"] else None for at in world.subjects(kind)}
            if not is_optional and any(values[at.key] is None for at in world.subjects(kind) if at["is_assessed"]):
                world.stop("R103")
            return values

        text = f'  {name}: {{value: "{said.text}", optional: {str(is_optional).lower()}}}\n'
        self.add(kind, name, said.type, text, compute)

    def order(self, kind: str) -> Order:
        words = self.words(kind)
        names = [name for name, _ in self.known[kind]]
        few = [leaf(name, type_) for name, type_ in FIELDS[kind] if type_ in ("number", "integer")]
        parts = [
            (self.pick(few) if self.chance(2) else self.amount(words), self.chance(2))
            for _ in range(self.draw(st.integers(1, 2)))
        ]
        if "total" in names and self.chance(2):
            parts.insert(0, (leaf("total", "number"), True))
        if self.chance(4):
            parts.append((leaf("id", "text"), False))
        return Order(tuple(parts))

    def quota(self, kind: str, name: str) -> None:
        words = self.words(kind)
        within = self.group(kind) if self.chance(2) else None
        takes = [number(text) for text in ("0", "1", "1", "2", "2", "3", "2.7", "100")]
        everyone = leaf(f"all_{kind}", "integer")
        half, third = (arithmetic("/", everyone, number(by)) for by in "23")
        takes += [half, call("ceil", [third], "integer", lambda v: Fraction(v.__ceil__()))]
        if within is not None and within.type == "integer":
            takes += [within, arithmetic("/", arithmetic("+", within, number("1")), number("2"))] * 2
        take = self.pick(takes) if not self.chance(15) else self.amount(words)
        eligible = self.condition(words) if self.chance(2) else self.pick([leaf("is_ranked", "boolean"), literal(True)])
        made = Quota(
            eligible, take, within, self.order(kind), self.pick(["include", "exclude", "stop"]),
            self.maybe(4, self.condition, words),
        )  # fmt: skip
        self.seen |= {"quota", f"quota within {within is not None}"}
        self.add(kind, name, "boolean", made.yaml(name), lambda world: made.values(world, kind))

    def roster(self, kind: str, name: str) -> None:
        within = self.group(kind) if self.chance(2) else None
        rank = self.pick(["competition", "dense", "ordinal"])
        columns = tuple(name for name, _ in self.known[kind])
        where = self.maybe(2, self.condition, self.words(kind))
        order = self.order(kind)
        self.rosters.append((kind, Roster(name, where, order, rank, within, columns)))
        self.seen |= {f"roster {rank}", f"roster within {within is not None}"}

    # --- exceptions and scores

    def apart(self, kind: str) -> str:
        """Write who is not assessed and who is not ranked."""
        words = self.words(kind)
        tests = []
        for key, one_in in (("not_assessed", 2), ("not_ranked", 2)):
            said = None
            if self.chance(one_in):
                said = self.condition(words)
                if not self.chance(4):
                    said = Small(words, self.draw).pick([leaf("id", "text")])
                    said = compare("=", said, literal(self.pick("123" if kind == "member" else "ABC")))
            tests.append((key, said))
        (_, away), (_, unranked) = tests

        def assessed(world: World) -> dict[str, Any]:
            made = {at.key: not (away is not None and at.says(away)) for at in world.subjects(kind)}
            world.notes["not assessed"] += list(made.values()).count(False)
            return made

        def ranked(world: World) -> dict[str, Any]:
            return {
                at.key: at["is_assessed"] and not (unranked is not None and at.says(unranked))
                for at in world.subjects(kind)
            }

        self.steps += [(kind, "is_assessed", assessed), (kind, "is_ranked", ranked)]
        self.known[kind] += [("is_assessed", "boolean"), ("is_ranked", "boolean")]
        return "".join(f'{key}: [{{when: "{said.text}", reason: apart}}]\n' for key, said in tests if said is not None)

    def line(self, name: str, is_each: bool) -> Line:
        words = self.words("member")
        points = self.amount(self.words("shares", "member") if is_each else words, is_known=True)
        where = self.maybe(2, self.condition, self.words("shares", "member")) if is_each else None
        low = number(self.pick("012")) if self.chance(3) else None
        high = number(self.pick("357")) if self.chance(2) else None
        if self.chance(6):
            high = self.amount(words, is_known=True)
            low = None
        factors = [number("0.75"), number("1.5"), number("0"), arithmetic("/", number("1"), number("3"))]
        times = [
            (self.maybe(2, self.condition, words), self.pick([*factors, self.amount(words, is_known=True)]))
            for _ in range(self.draw(st.integers(1, 2)) if self.chance(3) else 0)
        ]
        when = self.maybe(3, self.condition, words)
        period = self.pick(["year", "year", "18"]) if is_each else "year"
        base = self.pick([0, 0, -2, 3])
        return Line(name, points, is_each, when, where, period, base, low, high, tuple(times))

    def score(self) -> str:
        tree = self.draw(test_score.trees()) if not self.chance(3) else None
        if tree is not None:
            tree = tree | {"id": "main"}
            tree.pop("veto", None)
        lines = [self.line("bonus", False)] if tree is None or self.chance(2) else []
        lines += [self.line("shared", True)] if self.chance(2) else []
        low, high = self.pick([None, None, 0, -2]), self.pick([None, None, 3, 10])
        vetoes = [(self.condition(self.words("member")), self.pick([0, 1, 20])) for _ in range(2) if self.chance(4)]
        whole = Whole(tree, tuple(lines), low, high, tuple(vetoes))
        ids = [*(test_score.ids_of(tree) if tree is not None else []), *(line.id for line in lines)]
        names = ["total", *(f"points.{id_}" for id_ in ids)]

        def compute(world: World) -> dict[str, Any]:
            made = whole.values(world, tree_points(tree, world) if tree is not None else None)
            for name in names:
                column = made.get(name, {})
                world.store("member", name, {key: column.get(key) for key in world.kinds["member"]})
            return world.columns["member", "total"]

        text = "score:\n" + "".join(
            f"  {key}: {value}\n" for key, value in (("min", low), ("max", high)) if value is not None
        )
        if vetoes:
            text += "  veto:\n" + "".join(f'    - {{when: "{when.text}", to: {to}}}\n' for when, to in vetoes)
        text += "  items:\n"
        if tree is not None:
            text += "    - " + test_score.yaml_of(tree, 6)[6:]
        text += "".join(line.yaml() for line in lines)
        self.steps.append(("member", "total", compute))
        self.known["member"] += [("total", "number")] * 2 + [(name, "number") for name in names[1:3]]
        return text


def as_row(at: Any) -> Row:
    """Return what an expression reads values of; all it needs is to be asked for names."""
    row: Row = at
    return row


def of_each(kind: str, said: Said) -> Callable[[World], dict[str, Any]]:
    return lambda world: {at.key: at.says(said) for at in world.subjects(kind)}


def tree_points(tree: dict[str, Any], world: World) -> Callable[[At], dict[str, Fraction]]:
    """Return what the random tree brings a subject, line by line."""
    places = {id_: place for place, id_ in enumerate(test_score.ids_of(tree))}
    rows = [
        (row["id"], str(row["held_on"]), int(row["person"]), decimal(row["worth"]), row["sort"], row["topic"])
        for row in world.tables["works"] if row["held_on"] <= YEAR_END
    ]  # fmt: skip

    def points(at: At) -> dict[str, Fraction]:
        with mock.patch.dict(test_score.STARTS, {at.key: int(at["start"])}):
            total, up, stay = test_score.brute(tree, at.key, rows, places)
        made = {id_: Fraction(0) for id_ in places}
        for award in (*up, *stay):
            for line, after in award.after.items():
                made[line] += Fraction(after)
            world.notes["award lost to another"] += award.lost_to is not None
            world.notes["award cut or given back"] += award.what == "record" and len(set(award.after.values())) > 1
        assert made["main"] == total
        return made

    return points


def decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


# --- packs ------------------------------------------------------------------------------------------------


@dataclass
class Random:
    """A pack as written, and how the plain program computes it."""

    files: dict[str, str]
    steps: list[tuple[str, str, Callable[[World], dict[str, Any]]]]
    rosters: list[tuple[str, Roster]]
    seen: set[str]

    def __repr__(self) -> str:
        return "\n".join(f"--- {name}.yaml\n{text}" for name, text in self.files.items())

    def assess(self, world: World) -> None:
        """Compute every value that does not rest on one that stopped the run."""
        for kind, name, compute in self.steps:
            before = sum(world.codes.values())
            try:
                values = compute(world)
            except HasStoppedError:
                continue
            if sum(world.codes.values()) == before:
                world.store(kind, name, values)
            else:
                for column in [c for c in world.columns if c[0] == kind and name == "total" and "points." in c[1]]:
                    del world.columns[column]
                world.columns.pop((kind, name), None)


@st.composite
def packs(draw: Draw, most: int = 1) -> Random:
    """Draw a pack; `most` is how many measures and verdicts stand between two turns from kind to kind."""
    author = Author(draw)
    names = (f"v{n}" for n in range(100))
    measures: dict[str, list[str]] = {"member": [], "station": []}
    verdicts: dict[str, list[str]] = {"member": [], "station": []}

    def some(kind: str, least: int, most: int) -> None:
        for _ in range(draw(st.integers(least, most))):
            measures[kind].append(name := next(names))
            author.measure(kind, name)

    def conclude(kind: str, least: int, most: int) -> None:
        for _ in range(draw(st.integers(least, most))):
            verdicts[kind].append(name := next(names))
            author.verdict(kind, name)

    for kind in KINDS:
        name, everyone = f"all_{kind}", Aggregate("count", kind, within="all")
        author.add(kind, name, "integer", everyone.yaml(), lambda world, k=kind, e=everyone: e.values(world, k))
        measures[kind].append(name)
    apart = {}
    some("member", 1, most + 1)
    some("station", 0, most)
    apart["station"] = author.apart("station")
    conclude("station", 0, 1)
    some("member", 0, most)
    apart["member"] = author.apart("member")
    start = call("clamp", [author.amount(author.words("member"), kind="integer"), number("-5"), number("5")], "integer",
                 lambda v, low, high: max(low, min(v, high)))  # fmt: skip
    start = coalesce([start, number("1")], False)
    author.add("member", "start", "integer", f'"{start.text}"', of_each("member", start))
    measures["member"].append("start")
    score = author.score()
    for kind in ("member", "station", "member", "station", "member"):
        some(kind, 0, most)
        conclude(kind, 0, most)
    for kind in KINDS:
        for n in range(draw(st.integers(0, 2))):
            author.roster(kind, f"r{n}")
    files = {"pack": PACK}
    for kind, head in KINDS.items():
        text = head + apart[kind] + "measures:\n"
        text += "".join(f"  {name}: {author.texts[kind, name]}\n" for name in measures[kind])
        text += score if kind == "member" else ""
        if verdicts[kind]:
            text += "verdicts:\n" + "".join(author.texts[kind, name] for name in verdicts[kind])
        if rosters := [roster.yaml() for of, roster in author.rosters if of == kind]:
            text += "rosters:\n" + "".join(rosters)
        files[kind] = text
    return Random(files, author.steps, author.rosters, author.seen)


def exactly(value: Any) -> Any:
    return Fraction(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value


def check(folder: Path, pack: Random, world: World) -> None:
    """Run a pack over the data, and compare with what the plain program makes of them."""
    home = empty_folder(folder)
    write_pack(home / "pack", **pack.files)
    write_data(home / "data", world)
    pack.assess(world)
    is_much = len("".join(pack.files.values())) % 2  # of half of them, as if there were
    try:
        with mock.patch("evaluator.engine.run.SMALL", 0 if is_much else 10**9):
            out = evaluator.run(home / "pack", home / "data", 2021, home / "out")
    except Stop as stop:
        found = {problem.code for problem in stop.problems if problem.severity == "error"}
        assert found, stop
        assert found <= set(world.codes), stop
        return
    assert not world.codes
    for kind in KINDS:
        rows = {row["key"]: row for row in rows_of(out, f"subjects/{kind}")}
        assert rows.keys() == world.kinds[kind].keys()
        for (of, name), column in world.columns.items():
            if of == kind:
                found = {key: exactly(row[name]) for key, row in rows.items()}
                wrong = {key: (found[key], column[key]) for key in found if found[key] != column[key]}
                assert not wrong, f"{kind}.{name}, found and wanted: {wrong}"
    for kind, roster in pack.rosters:
        compare_roster(rows_of(out, f"rosters/{kind}.{roster.id}"), kind, roster, world)


def compare_roster(rows: list[dict[str, Any]], kind: str, roster: Roster, world: World) -> None:
    lists: dict[Any, list[tuple[str, int | None]]] = {}
    for row in rows:
        lists.setdefault(exactly(row.get("#group")), []).append((row["#key"], row["rank"]))
        for name in roster.columns:
            value = world.kinds[kind][row["#key"]].get(name)
            if (kind, name) in world.columns:
                value = world.columns[kind, name][row["#key"]]
            assert exactly(row[name]) == value, (roster.id, name)
    wanted = roster.lists(world, kind)
    assert lists == wanted, roster.id


@given(packs(), worlds())
@settings(max_examples=examples(15), **SLOW)
def test_random_packs(tmp_path: Path, pack: Random, world: World) -> None:
    """Every value of every subject, and every rank, is what the plain program says; or the run stops as it says."""
    check(tmp_path / "home", pack, world)
    for note in (*pack.seen, *world.notes, *(f"stops {code}" for code in world.codes)):
        event(note)


# --- what random packs found ------------------------------------------------------------------------------

SMALL = """
    pack: small
    title: {en: Small}
    language: en
    tables:
      works:
        key: id
        fields: {id: text, person: {ref: member}, worth: integer, topic: integer}
"""
STATION = "subject: station\nkey: id\nfields: {id: text}\nmeasures: {stations: {count: station, within: all}}\n"
MEMBER = "subject: member\nkey: id\nfields: {id: text, station: {ref: station}, away: boolean}\n"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        # what reads a measure reads its default, in the same step and over peers
        (
            """
            measures:
              best: {max: worth, of: works, default: 7}
              more: best + 1
              all_best: {sum: best, of: member, within: all}
            """,
            {"best": [3, 7], "more": [4, 8], "all_best": [10, 10]},
        ),
        # a base that is known only after a value of another kind, where records are chosen
        (
            """
            measures: {base: station.stations + 1}
            score: {each: works, points: worth, once_per: topic, base: base}
            """,
            {"total": [5, 2]},
        ),
        # a verdict that reads nothing
        (
            """
            not_assessed: [{when: away, reason: away}]
            verdicts: {grade: {rules: [{otherwise: fine}]}}
            """,
            {"grade": ["fine", None]},
        ),
    ],
)
def test_small_packs(tmp_path: Path, values: str, wanted: dict[str, list[Any]]) -> None:
    pack = write_pack(tmp_path / "pack", pack=SMALL, station=STATION, member=MEMBER + dedent(values))
    data = tmp_path / "data"
    write_csv(data / "station.csv", ("id",), [["S"]])
    write_csv(data / "member.csv", ("id", "station", "away"), [["1", "S", "no"], ["2", "S", "yes"]])
    write_csv(data / "works.csv", ("id", "person", "worth", "topic"), [["a", 1, 3, 1], ["b", 1, 2, 1]])
    rows = rows_of(evaluator.run(pack, data, 2021, tmp_path / "out"), "subjects/member")
    assert {name: [row[name] for row in rows] for name in wanted} == wanted


@pytest.mark.parametrize("label", ["part", "words", "reason", "nth", "role"])
def test_places_on_a_record_go_by_the_columns_of_the_pack(tmp_path: Path, label: str) -> None:
    """Whatever the label is called, and although helper comes before lead in the alphabet."""
    text = PACK.replace("label: part", f"label: {label}")
    pack = write_pack(tmp_path / "pack", pack=text, **KINDS)
    member = {"station": None, "x": None, "n": Fraction(1), "able": True, "maybe": None, "g": "p", "joined": None}
    record = {"no": "j1", "held_on": DAYS[0], "size": Fraction(1), "extra": None, "host": None, "checker": None}
    world = World(
        {"member": {i: {"id": i} | member for i in "123"}, "station": {}},
        {"works": [], "joint": [record | {"names": ["3", "1", "2"], "leads": 2}], "shares": []},
    )
    world.kinds["station"]["A"] = {"id": "A", "y": None, "m": Fraction(1), "open": True}
    write_data(tmp_path / "data", world)
    rows = rows_of(evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out"), "records/shares")
    found = sorted((row["position"], row["who"], row[stored_as(label)]) for row in rows)
    assert found == [(1, "3", "lead"), (2, "1", "lead"), (3, "2", "helper")]


def test_what_follows_from_an_unknown_verdict_is_not_told(tmp_path: Path) -> None:
    values = """
    verdicts:
      grade: {rules: [{is: good, when: maybe}, {otherwise: bad}]}
      after: {rules: [{is: yes_, when: grade = 'good'}, {otherwise: no_}]}
    """
    member = MEMBER.replace("away: boolean", "maybe: {type: boolean, optional: true}")
    pack = write_pack(tmp_path / "pack", pack=SMALL, station=STATION, member=member + dedent(values))
    write_csv(tmp_path / "data" / "station.csv", ("id",), [["S"]])
    write_csv(tmp_path / "data" / "member.csv", ("id", "station", "maybe"), [["1", "S", ""]])
    write_csv(tmp_path / "data" / "works.csv", ("id", "person", "worth", "topic"), [])
    with pytest.raises(Stop) as stopped:
        evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out")
    assert [problem.code for problem in stopped.value.problems] == ["R103"]


@pytest.mark.parametrize(
    "measure",
    [
        "{rank: stations, of: station, where: false, within: all}",
        "{max: worth, of: works, via: person.station, default: y}",
    ],
)
def test_points_that_rest_on_an_unknown_measure_stop_the_run(tmp_path: Path, measure: str) -> None:
    """Somebody a rank leaves out has none; a default may be unknown itself."""
    station = STATION.replace("id: text", "id: text, y: {type: integer, optional: true}")
    station = station.replace("within: all}}", f"within: all}}, most: {measure}}}") + "score: {points: most}\n"
    pack = write_pack(tmp_path / "pack", pack=SMALL, station=station, member=MEMBER)
    write_csv(tmp_path / "data" / "station.csv", ("id", "y"), [["S", ""]])
    write_csv(tmp_path / "data" / "member.csv", ("id", "station", "away"), [["1", "S", "no"]])
    write_csv(tmp_path / "data" / "works.csv", ("id", "person", "worth", "topic"), [])
    with pytest.raises(Stop) as stopped:
        evaluator.run(pack, tmp_path / "data", 2021, tmp_path / "out")
    assert [problem.code for problem in stopped.value.problems] == ["R103"]
