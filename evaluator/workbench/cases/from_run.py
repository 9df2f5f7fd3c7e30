"""A case written from a real result: the subject, the rows its result rests on, and what it came to.

The case is run before it is shown. What it does not come to by itself, because it rests on other subjects or on years
that cannot be carried, is left out of what it expects, and said.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from sqlglot import exp

from evaluator.data.chain import run_with_hash
from evaluator.data.history import stored_as
from evaluator.diagnostics import Stop
from evaluator.engine.decide import Bench
from evaluator.engine.plan import Graph, Value
from evaluator.engine.rank import shown
from evaluator.engine.state import Bearer
from evaluator.pack.check_case import value_types
from evaluator.pack.definitions import FieldDef, KindDef, Pack, TableDef
from evaluator.pack.entries import PAST_RESULTS
from evaluator.pack.nodes import Name, Node
from evaluator.pack.types import TEXT
from evaluator.report.explaining.explain import find_subject
from evaluator.report.reopen import PastRun, reopen
from evaluator.report.repeat import manifest_of, places
from evaluator.report.words import said_in
from evaluator.sql.lower import Lowering
from evaluator.sql.rows import Rows
from evaluator.sql.trees import SQL, column, ordered, parquet
from evaluator.workbench.cases.carried import Carried, among
from evaluator.workbench.cases.given import load_for_cases
from evaluator.workbench.cases.run import case_of_text, run_case
from evaluator.workbench.cases.written import Cells, Written


def case_from_run(folder: Path, run_folder: Path, subject: str, keeps_names: bool = False) -> Written:
    """Write a case of a pack from a subject's result in a run; raise Stop where there is no such run or subject."""
    pack = load_for_cases(folder)
    with reopen(run_folder) as run:
        if run.state.pack.name != pack.name:
            message = f"{run_folder} was written with the pack {run.state.pack.name}, and {folder} is {pack.name}"
            raise Stop.of("D301", message, fix="name a run of this pack")
        found = find_subject(run, subject)
        written = _Writing(run, found, keeps_names).written()
    _leave_out_what_differs(pack, found.kind, written)
    return written


class _Writing:
    def __init__(self, run: PastRun, subject: Bearer, keeps_names: bool) -> None:
        self.run, self.keeps_names = run, keeps_names
        self.kind, self.key, self.sid = subject
        self.state, self.pack = run.state, run.pack
        self.carried = Carried(run.state, self.kind, self.sid)

    def written(self) -> Written:
        """Return the case, as yet untried."""
        year = self.run.manifest["year"]
        title = said_in(self.pack.language, "as in the run", self.pack.label(self.kind.name), self.key, year)
        made = Written(title, year)
        for name, sids in self.carried.rows.items():
            table = self.pack.tables[name]
            if table.unfold is None and not table.is_entered and sids:
                made.given[name] = self._rows(table, sids)
        for name, table in self.pack.tables.items():
            if table.is_entered and (rows := self._entered(table)):
                made.given[name] = rows
        self._carry_years(made)
        made.expect[self.kind.name] = [self._expected(made)]
        return made

    # --- given ---

    def _rows(self, made: TableDef, sids: set[int]) -> list[Cells]:
        rows = self.state.rows(made.name, "r")
        lowering = Lowering(rows)
        fields = [field for field in made.fields.values() if not field.is_derived]
        values = [shown(lowering, self._read(made, field)) for field in fields]
        filled: SQL = column("is_filled", "r") if made.expected is not None else exp.false()
        query = rows.select(column("#sid", "r"), column("#key", "r"), filled, *values)
        query = query.where(among(column("#sid", "r"), sids), copy=False).order_by(
            ordered(column("#sid", "r")), copy=False
        )
        kind = self.pack.kinds.get(made.name)
        listed: list[Cells] = []
        for sid, key, is_filled, *found in self.state.db.rows(query):
            if is_filled:
                continue
            cells = {
                field.name: value
                for field, value in zip(fields, found, strict=True)
                if value is not None and value != ""
            }
            if kind is not None and kind.display in cells and self._is_renamed(kind):
                cells[kind.display] = key
            listed.append(cells | self._unfolded(made, sid))
        return listed

    def _read(self, made: TableDef, field: FieldDef) -> Node:
        """Return what a cell of the field holds: of a ref, that by which the row it leads to is found."""
        own = Name(field.type, True, (0, 0), (), made.name, field.name)
        return self._found_by(field, own) if field.type.base == "ref" else own

    def _found_by(self, field: FieldDef, own: Name) -> Name:
        target = self.pack.tables[field.type.target]
        by = field.by or target.key
        kind = self.pack.kinds.get(target.name)
        is_renamed = kind is not None and self._is_renamed(kind) and by[0] == kind.display
        first = next((name for name in by if name in target.key), by[0])
        if (is_renamed and len(target.key) == 1) or (target.key == (first,)):
            return Name(TEXT, True, own.place, (*own.hops, own.leaf), target.name, "#key")
        return Name(target.fields[first].type, True, own.place, (*own.hops, own.leaf), target.name, first)

    def _is_renamed(self, kind: KindDef) -> bool:
        """Whether subjects are called by their keys, so that no name of anybody is told."""
        shown_by = kind.table.fields[kind.display].type
        is_name = kind.display not in kind.table.key and shown_by.base == "text" and not shown_by.values
        return is_name and not self.keeps_names

    def _unfolded(self, made: TableDef, sid: int) -> dict[str, object]:
        """Return the cells that rows are unfolded from."""
        cells: dict[str, object] = {}
        for one in self.pack.tables.values():
            unfold = one.unfold
            if unfold is None or unfold.source != made.name:
                continue
            rows = self.state.rows(one.name, "u")
            lowering = Lowering(rows)
            labelled = one.fields.get(unfold.label)
            label = shown(lowering, self._read(one, labelled)) if labelled is not None else column(unfold.label, "u")
            value = shown(lowering, self._read(one, one.fields[unfold.holds]))
            query = rows.select(label, value).where(among(column("#source", "u"), [sid]), copy=False)
            names: dict[str, list[object]] = {}
            for found, held in self.state.db.rows(query.order_by(ordered(column("#sid", "u")), copy=False)):
                names.setdefault(str(found), []).append(held)
            for found, listed in names.items():
                known = [held for held in listed if held is not None]
                name = f"{one.name}.{found}" if unfold.columns else found
                if known:
                    cells[name] = known if unfold.is_names and len(known) > 1 else known[0]
        return cells

    def _entered(self, made: TableDef) -> list[Cells]:
        """Return what people entered on the subject."""
        rows = self.state.rows(made.name, "r")
        lowering = Lowering(rows)
        fields = [field for field in made.fields.values() if not field.is_derived]
        query = rows.select(*(shown(lowering, self._read(made, field)) for field in fields))
        name = self._name()
        listed: list[Cells] = []
        for found in self.state.db.rows(query.order_by(ordered(column("#sid", "r")), copy=False)):
            cells = {f.name: value for f, value in zip(fields, found, strict=True) if value not in (None, "")}
            if cells.get("subject") in (self.key, name) and cells.get("kind", self.kind.name) in (self.kind.name, ""):
                listed.append({**cells, "subject": self.key})
        return listed

    def _name(self) -> str:
        rows = self.state.rows(self.kind.name, "s")
        query = rows.select(column(self.kind.display, "s")).where(among(column("#sid", "s"), [self.sid]), copy=False)
        return str(self.state.db.value(query))

    def _carry_years(self, made: Written) -> None:
        """Give what earlier years came to as entries, as far as their runs are found beside this one."""
        kind = self.kind
        names = {
            node.leaf: node
            for recall in kind.recalls.values()
            for node in recall.operand.walk()
            if isinstance(node, Name) and node.leaf not in ("is_assessed", "is_ranked")
        }
        if not names or PAST_RESULTS not in self.pack.tables:
            return
        rows: list[Cells] = []
        for past in manifest_of(self.run.folder).history:
            folder = run_with_hash(past.sha256, places(self.run.folder))
            if folder is None:
                made.remarks.append(said_in(self.pack.language, "year not carried", past.year))
                continue
            rows += self._past_values(folder, past.year, list(names))
        made.given[PAST_RESULTS] = [*made.given.get(PAST_RESULTS, []), *rows]

    def _past_values(self, folder: Path, year: int, names: list[str]) -> list[Cells]:
        subjects = exp.alias_(parquet(folder / "subjects" / f"{self.kind.name}.parquet"), "p", table=True)
        there = (
            exp.select(exp.Star())
            .from_(subjects, copy=False)
            .where(exp.EQ(this=column("key", "p"), expression=exp.Literal.string(self.key)), copy=False)
        )
        ran = self.state.db.run(there)
        heads = [one[0] for one in ran.description or ()]
        found = ran.fetchall()
        values = dict(zip(heads, found[0], strict=True)) if found else {}
        if not values.get("is_assessed"):
            return []
        cells: list[Cells] = []
        for name in names:
            value = values.get(stored_as(name))
            if value is not None:
                said = ("yes" if value else "no") if isinstance(value, bool) else value
                of = {"kind": self.kind.name} if len(self.pack.kinds) > 1 else {}
                cells.append({"year": year, **of, "subject": self.key, "name": name, "value": said})
        return cells

    # --- expected ---

    def _expected(self, made: Written) -> Cells:
        rows = self.state.rows(self.kind.name, "s")
        found = self._values(rows)
        cells: dict[str, object] = {name: found[name] for name in self.kind.table.key}
        if not found["is_assessed"]:
            return cells | {"is_assessed": False, "reason": found["#reason"]}
        graph, others = Graph(self.pack), []
        for name in [*self.kind.measures, *self._lines(), *self.kind.verdicts]:
            value = graph.value_of(self.kind.name, name)
            if value is not None and _rests_on_others(self.pack, graph, value):
                others.append(name)
            else:
                cells[name] = found[name]
        if others:
            made.remarks.append(said_in(self.pack.language, "rests on others", ", ".join(others)))
        return cells

    def _lines(self) -> list[str]:
        names = ["total" if line.parent is None else f"points.{line.id}" for line in self.kind.lines]
        return [*names[1:], *names[:1]]

    def _values(self, rows: Rows) -> dict[str, Any]:
        types = value_types(self.kind)
        names = [*types, "#reason"]
        lowering = Lowering(rows)
        nodes = [
            Name(types.get(name, TEXT), True, (0, 0), (), self.kind.name, name) for name in names if name != "reason"
        ]
        query = rows.select(*(shown(lowering, node) for node in nodes))
        found = self.state.db.rows(query.where(among(column("#sid", "s"), [self.sid]), copy=False))[0]
        return dict(zip((node.leaf for node in nodes), found, strict=True))


def _rests_on_others(pack: Pack, graph: Graph, value: Value) -> bool:
    """Whether a value rests on a rank, a sum over peers, or a quota."""
    seen: set[Value] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        kind = pack.kinds[one.kind]
        if one.part == "verdict" and kind.verdicts[one.name].form == "quota":
            return True
        if one.part == "measure" and (made := kind.measures[one.name].aggregate) is not None and made.is_peers:
            return True
        todo += graph.reads.get(one, {})
    return False


def _leave_out_what_differs(pack: Pack, kind: KindDef, written: Written) -> None:
    """Run the case, and leave out of what it expects all that it does not come to."""
    case = case_of_text(str(written), pack)
    with closing(Bench()) as bench:
        outcome = run_case(pack, case, bench, explains=False)
    if outcome.stopped:
        raise Stop(outcome.stopped)
    differing = {one.name: one for one in outcome.differences if one.name}
    if differing:
        said = "; ".join(f"{one.found} ({one.expected})" for one in differing.values())
        written.remarks.append(said_in(pack.language, "differs here", said))
        rows = written.expect[kind.name]
        written.expect[kind.name] = [{n: v for n, v in row.items() if n not in differing} for row in rows]
