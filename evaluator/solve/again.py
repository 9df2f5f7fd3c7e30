"""A subject judged again with other records, by the engine itself: its SQL, its rules, its quotas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.compute import compute
from evaluator.engine.decide import Bench
from evaluator.engine.families import compile_family
from evaluator.engine.plan import Choose, Compute, Decide, Graph, Override, Step, Value, make_plan
from evaluator.engine.quota import choose_quota
from evaluator.engine.situations import conclude
from evaluator.engine.state import State, points_column
from evaluator.pack.definitions import KindDef
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, all_but, cast, choose, column, is_null, left_join, named, number, table, text


class Again:
    """Judges a subject with changed records. What other kinds came to, what people decided and earlier years stay."""

    def __init__(self, state: State, kind: KindDef, key: str, bench: Bench | None = None) -> None:
        self.before, self.kind, self.key = state, kind, key
        self.steps = [step for step in make_plan(state.pack, Problems()) if step.kind == kind.name]
        self.graph = Graph(state.pack)
        self.bench, self.stays_open = bench, bench is not None
        self.needed: set[Value] = set()

    def __enter__(self) -> Again:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.bench is not None and not self.stays_open:
            self.bench.close()

    def values(
        self, state: State, recalls: Mapping[str, int | None], wanted: Sequence[Value]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return what values of the subject come to over the records of `state`; raise Stop where a run would stop.

        `recalls` are the functions over years that read this one, as they are said to come to; what this year adds to
        each is returned besides.
        """
        kind = self.kind
        self.needed = self._needed([*wanted, *(Value(kind.name, "recall", name) for name in recalls)])
        self._start(state, recalls)
        problems = Problems()
        try:
            for step in self.steps:
                self._take(state, step, problems)
                problems.stop_on_errors()
            rows = state.rows(kind.name, "s")
            lowering = Lowering(rows)
            now = [lowering.stored(kind.recalls[name].operand) for name in recalls]
            columns = [column(points_column(v.name) if v.part == "line" else v.name, "s") for v in wanted]
            found = state.db.rows(rows.select(*columns, *now).where(self._is_it(), copy=False))[0]
            return list(found[: len(wanted)]), dict(zip(recalls, found[len(wanted) :], strict=True))
        finally:
            self.before.versions = max(self.before.versions, state.versions)
            state.db.drop(state.current[kind.name])

    def _needed(self, wanted: Sequence[Value]) -> set[Value]:
        """Return these values and all they rest on; verdicts that are concluded together are all needed."""
        found: set[Value] = set()
        todo = [*wanted, Value(self.kind.name, "apart", "apart")]
        families = [step.verdicts for step in self.steps if isinstance(step, Decide)]
        while todo:
            value = todo.pop()
            if value.kind == self.kind.name and value not in found:
                found.add(value)
                todo += self.graph.reads.get(value, {})
                family = next((names for names in families if value.part == "verdict" and value.name in names), [])
                todo += [Value(value.kind, "verdict", name) for name in family]
        return found

    @property
    def _needs_others(self) -> bool:
        """Whether what is needed compares the subject with others of its kind."""
        verdicts = [self.kind.verdicts[v.name] for v in self.needed if v.part == "verdict"]
        measures = [self.kind.measures[v.name].aggregate for v in self.needed if v.part == "measure"]
        peers = any(made is not None and made.is_peers for made in measures)
        return peers or any(verdict.form == "quota" for verdict in verdicts)

    def _is_it(self) -> SQL:
        return exp.EQ(this=column("#key", "s"), expression=text(self.key))

    def _start(self, state: State, recalls: Mapping[str, int | None]) -> None:
        """Make a table of the subjects with what is known before anything is computed."""
        kind = self.kind
        there = exp.alias_(state.location(kind.name), "s", table=True)
        heads = state.db.run(exp.select(exp.Star()).from_(there.copy(), copy=False).limit(0, copy=False)).description
        kept = {"#sid", "#key", "#src", "#row", "#date", "is_expected", "is_filled", *kind.table.fields}
        columns: list[SQL] = [column(one[0], "s") for one in heads or () if one[0] in kept]
        for name in kind.recalls:
            value: SQL = column(name, "s")
            if name in recalls:
                known = recalls[name]
                mine = exp.Null() if known is None else number(known)
                value = cast(choose([(self._is_it(), mine)], value), "BIGINT")
            columns.append(named(value, name))
        query = exp.select(*columns).from_(there, copy=False)
        for line in kind.lines:
            if line.judged is not None:
                alias = f"judged {line.id}"
                judged = exp.alias_(self.before.judged[kind.name, line.id], "j", table=True)
                sums = exp.select(column("sid", "j"), named(exp.Sum(this=column("value", "j")), "value"))
                sums = sums.from_(judged, copy=False).group_by(column("sid", "j"), copy=False)
                on = exp.EQ(this=column("#sid", "s"), expression=column("sid", alias))
                query = left_join(query, exp.alias_(sums.subquery(copy=False), alias, table=True, quoted=True), on)
                found = exp.Coalesce(this=cast(column("value", alias), "BIGINT"), expressions=[number(0)])
                query = query.select(named(found, f"sum.{line.id}"), named(number(0), f"n.{line.id}"))
        if not self._needs_others:
            query = query.where(self._is_it(), copy=False)
        state.versions += 1
        made = table(f"{kind.name}#{state.versions}", "work")
        state.db.create(made, query)
        state.current[kind.name] = made

    def _take(self, state: State, step: Step, problems: Problems) -> None:
        kind = self.kind
        needed = self.needed
        if not isinstance(step, Compute):
            names = step.verdicts if isinstance(step, Decide) else [step.verdict]
            if Value(kind.name, "verdict", names[0]) not in needed:
                return
        match step:
            case Compute():
                judged = {line.id for line in kind.lines if line.judged is not None}
                sums = [v for v in step.sums if v in needed and not (v.part == "sum" and v.name in judged)]
                levels = [[v for v in level if v in needed] for level in step.levels]
                compute(state, kind, Compute(kind.name, sums, [], [level for level in levels if level]), [], problems)
            case Decide():
                if self.bench is None:
                    self.bench = Bench()
                conclude(state, kind, compile_family(kind, step.verdicts, problems), self.bench, problems)
            case Override():
                self._override(state, step.verdict)
            case Choose():
                choose_quota(state, kind, kind.verdicts[step.verdict], problems)

    def _override(self, state: State, verdict: str) -> None:
        """Set a verdict to what somebody decided in the run."""
        earlier = exp.alias_(self.before.location(self.kind.name), "o", table=True)
        is_decided = exp.Not(this=is_null(column(f"decided.{verdict}", "o")))
        query = exp.select(
            all_but("s", [verdict]),
            named(choose([(is_decided, column(verdict, "o"))], column(verdict, "s")), verdict),
            named(column(verdict, "s"), f"ruled.{verdict}"),
            column(f"decided.{verdict}", "o"),
        ).from_(exp.alias_(state.location(self.kind.name), "s", table=True), copy=False)
        on = exp.EQ(this=column("#sid", "s"), expression=column("#sid", "o"))
        state.replace(self.kind.name, left_join(query, earlier, on))
