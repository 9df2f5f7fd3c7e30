"""What depends on what, and in which order a run computes it.

The values of a pack form a graph: measures read records and other measures, lines read measures, verdicts read
lines and each other, also across kinds. A circle is an error. The plan is a list of steps; each finishes what all it
reads was finished before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import AggregateDef, Formula, KindDef, LineDef, MeasureDef, Pack, VerdictDef
from evaluator.pack.nodes import Name, Node, Recall


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a kind. `part` tells a line's sum over records from the line itself."""

    kind: str
    part: str  # apart, measure, sum, line, verdict, recall
    name: str

    def __str__(self) -> str:
        shown = {"apart": "is_assessed", "sum": f"points.{self.name}", "line": f"points.{self.name}"}
        return f"{self.kind}.{'total' if self.name == 'total' else shown.get(self.part, self.name)}"


@dataclass(slots=True)
class Compute:
    """Add values to a kind: sums over records, recalls of earlier years, and what follows row by row."""

    kind: str
    sums: list[Value] = field(default_factory=list)
    recalls: list[Value] = field(default_factory=list)
    levels: list[list[Value]] = field(default_factory=list)


@dataclass(slots=True)
class Decide:
    """Conclude a family of verdicts: by rules, connected by what they read."""

    kind: str
    verdicts: list[str]


@dataclass(slots=True)
class Choose:
    """Fill a quota."""

    kind: str
    verdict: str


@dataclass(slots=True)
class Override:
    """Set a verdict to what somebody who may do so decided on."""

    kind: str
    verdict: str


Step = Compute | Decide | Choose | Override


def own_nodes(node: Node) -> Iterator[Node]:
    """Give a node and all below it, but nothing below a recall: that is computed beforehand."""
    yield node
    if not isinstance(node, Recall):
        for child in node.children():
            yield from own_nodes(child)


class Graph:
    """The values of a pack and what each reads."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.reads: dict[Value, dict[Value, Span | None]] = {}
        for kind in pack.kinds.values():
            self._add(Value(kind.name, "apart", "apart"), [e.when for e in (*kind.not_assessed, *kind.not_ranked)])
            for measure in kind.measures.values():
                self._add_measure(kind, measure)
            for line in kind.lines:
                self._add_line(kind, line)
            for verdict in kind.verdicts.values():
                self._add_verdict(kind, verdict)
            for name, recall in kind.recalls.items():
                value = Value(kind.name, "recall", name)
                self.reads[value] = {}
                if recall.reads_this_year:
                    self.reads[value] |= dict.fromkeys(self._named(kind.name, recall.operand))
                    self.reads[value][Value(kind.name, "apart", "apart")] = None

    def _add(self, value: Value, formulas: Iterable[Formula | None]) -> None:
        read = self.reads.setdefault(value, {})
        for formula in formulas:
            if formula is not None:
                for other in self._named(value.kind, formula.node):
                    read.setdefault(other, formula.at)

    def _named(self, kind: str, node: Node) -> Iterator[Value]:
        for part in own_nodes(node):
            if isinstance(part, Recall):
                yield Value(kind, "recall", part.column)
            elif isinstance(part, Name) and (found := self.value_of(part.owner, part.leaf)) is not None:
                yield found

    def value_of(self, owner: str, leaf: str) -> Value | None:
        """Return the computed value a name stands for; None for fields, which are there from the start."""
        kind = self.pack.kinds.get(owner)
        if kind is None or leaf in kind.table.fields:
            return None
        if leaf in ("is_assessed", "is_ranked"):
            return Value(owner, "apart", "apart")
        if leaf == "total":
            return Value(owner, "line", "total")
        if leaf.startswith("points."):
            return Value(owner, "line", leaf[7:])
        if leaf in kind.measures:
            return Value(owner, "measure", leaf)
        return Value(owner, "verdict", leaf) if leaf in kind.verdicts else None

    @staticmethod
    def _parts(made: AggregateDef) -> list[Formula | None]:
        return [made.operand, made.where, made.within, made.default]

    def _add_measure(self, kind: KindDef, measure: MeasureDef) -> None:
        value = Value(kind.name, "measure", measure.name)
        if measure.aggregate is not None:
            self._add(value, self._parts(measure.aggregate))
        else:
            self._add(value, [measure.value])

    def _add_line(self, kind: KindDef, line: LineDef) -> None:
        value = Value(kind.name, "line", line.id)
        judged = [line.judged.low, line.judged.high] if line.judged is not None else []
        self._add(value, [line.when, line.points, line.base, line.min, line.max, *judged, *line.alterations])
        self.reads[value][Value(kind.name, "apart", "apart")] = None
        for item in line.items:
            self.reads[value][Value(kind.name, "line", item.id)] = item.at
        if line.sums_records:
            total = Value(kind.name, "sum", line.id)
            self._add(total, [])
            if line.aggregate is not None:
                self._add(total, self._parts(line.aggregate))
            if line.judged is not None:  # bounds are looked at when entries are taken, and whether the line applies
                self._add(total, [*judged, line.when])
            if line.selection is not None:
                keys = [k for own in line.selection.keys.values() for k in (own.once, *own.prefer, *own.order_by)]
                self._add(total, [*keys, line.base])  # the base enters with the records
                self.reads[total] |= {Value(kind.name, "line", item.id): item.at for item in line.items}
            if line.judged is not None or line.selection is not None:
                self.reads[total][Value(kind.name, "apart", "apart")] = None
            self.reads[value][total] = line.at

    def _add_verdict(self, kind: KindDef, verdict: VerdictDef) -> None:
        value = Value(kind.name, "verdict", verdict.name)
        order = [key.formula for key in verdict.order_by]
        self._add(value, [*verdict.conditions, verdict.take, verdict.within, *order])
        self.reads[value][Value(kind.name, "apart", "apart")] = None

    def note_circles(self, problems: Problems) -> None:
        """Note each circle once, with the place where every value of it reads the next."""
        done: set[Value] = set()
        path: list[Value] = []
        seen: set[frozenset[Value]] = set()

        def visit(value: Value) -> None:
            if value in path:
                circle = path[path.index(value) :]
                if frozenset(circle) not in seen:
                    seen.add(frozenset(circle))
                    self._note_circle(circle, problems)
                return
            if value in done:
                return
            path.append(value)
            for other in self.reads.get(value, {}):
                visit(other)
            path.pop()
            done.add(value)

        for value in self.reads:
            visit(value)

    def _note_circle(self, circle: list[Value], problems: Problems) -> None:
        pairs = list(zip(circle, [*circle[1:], circle[0]], strict=True))
        places = [(at, f"{a} reads {b}") for a, b in pairs if (at := self.reads[a].get(b)) is not None]
        shown = " → ".join(dict.fromkeys(map(str, circle))) + f" → {circle[0]}"
        problems.add(
            "P405",
            f"values need each other first: {shown}",
            places[0][0] if places else None,
            also=places[1:],
        )


def make_plan(pack: Pack, problems: Problems) -> list[Step]:
    """Return the steps of a run; note circles, after which there is no plan."""
    graph = Graph(pack)
    graph.note_circles(problems)
    if problems.has_errors:
        return []
    return _Scheduler(pack, graph).steps()


class _Scheduler:
    def __init__(self, pack: Pack, graph: Graph) -> None:
        self.pack, self.graph = pack, graph
        self.done: set[Value] = set()

    def steps(self) -> list[Step]:
        made: list[Step] = []
        while len(self.done) < len(self.graph.reads):
            before = len(self.done)
            while True:
                computed = [step for kind in self.pack.kinds if (step := self._compute(kind)) is not None]
                if not computed:
                    break
                made += self._with_overrides(computed)
            made += self._with_overrides(self._decide())
            made += self._with_overrides(self._choose())
            assert len(self.done) > before, "a circle was not found"
        return made

    def _waiting(self, kind: str) -> list[Value]:
        return [v for v in self.graph.reads if v.kind == kind and v not in self.done]

    def _is_ready(self, value: Value, also: Iterable[Value] = ()) -> bool:
        # what may be overridden is settled only after its step
        known = self.done.union(v for v in also if not self._can_be_overridden(v))
        return all(other in known for other in self.graph.reads[value])

    def _can_be_overridden(self, value: Value) -> bool:
        if value.part != "verdict":
            return False
        return self.pack.kinds[value.kind].verdicts[value.name].model.override_by is not None

    def _with_overrides(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Give steps, each followed by what may override its verdicts."""
        for step in steps:
            yield step
            match step:
                case Compute():
                    names = [v.name for level in step.levels for v in level if v.part == "verdict"]
                case Decide():
                    names = step.verdicts
                case _:
                    names = [step.verdict]
            values = [Value(step.kind, "verdict", name) for name in names]
            yield from (Override(v.kind, v.name) for v in values if self._can_be_overridden(v))

    def _row_by_row(self, value: Value) -> bool:
        if value.part == "verdict":
            return self.pack.kinds[value.kind].verdicts[value.name].form == "formula"
        if value.part == "measure":
            made = self.pack.kinds[value.kind].measures[value.name].aggregate
            return made is None or made.is_peers
        return value.part in ("apart", "line")

    def _is_sum(self, value: Value) -> bool:
        return value.part == "sum" or (value.part == "measure" and not self._row_by_row(value))

    def _compute(self, kind: str) -> Compute | None:
        step = Compute(kind)
        waiting = self._waiting(kind)
        step.sums = [v for v in waiting if self._is_sum(v) and self._is_ready(v)]
        step.recalls = [v for v in waiting if v.part == "recall" and self._is_ready(v)]
        got = [*step.sums, *step.recalls]
        while True:
            level = [v for v in waiting if v not in got and self._row_by_row(v) and self._is_ready(v, got)]
            if not level:
                break
            step.levels.append(level)
            got += level
        self.done.update(got)
        return step if got else None

    def _decide(self) -> list[Decide]:
        """Return every family that can be concluded now, as large as it can be."""
        made = []
        for kind in self.pack.kinds.values():
            judged = {
                v for v in self._waiting(kind.name)
                if v.part == "verdict" and kind.verdicts[v.name].form in ("rules", "yes_no")
            }  # fmt: skip
            while True:
                stuck = {v for v in judged if not self._is_ready(v, judged)}
                if not stuck:
                    break
                judged -= stuck
            for family in self._connected(kind, judged):
                made.append(Decide(kind.name, [v.name for v in family]))
            self.done.update(judged)
        return made

    def _connected(self, kind: KindDef, judged: set[Value]) -> list[list[Value]]:
        """Split verdicts into families connected by reading, each in an order in which none reads a later one."""
        families: list[set[Value]] = []
        for value in judged:
            touching = {value} | {o for o in self.graph.reads[value] if o in judged}
            apart = [family for family in families if not family & touching]
            for family in families:
                if family & touching:
                    touching |= family
            families = [*apart, touching]
        written = {name: place for place, name in enumerate(kind.verdicts)}
        ordered_families = []
        for family in families:
            order: list[Value] = []
            while len(order) < len(family):
                ready = [v for v in family if v not in order and not (set(self.graph.reads[v]) & family) - set(order)]
                order += sorted(ready, key=lambda v: written[v.name])
            ordered_families.append(order)
        return sorted(ordered_families, key=lambda family: written[family[0].name])

    def _choose(self) -> list[Choose]:
        ready = [
            v
            for v in self.graph.reads
            if v not in self.done
            and v.part == "verdict"
            and self.pack.kinds[v.kind].verdicts[v.name].form == "quota"
            and self._is_ready(v)
        ]
        self.done.update(ready)
        return [Choose(v.kind, v.name) for v in ready]
