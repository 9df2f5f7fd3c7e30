"""Why a case failed: of each value that is not as expected, the part of the explanation that is about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

from sqlglot import exp

from evaluator.engine.measure import linked_rows
from evaluator.engine.rank import shown as sql_shown
from evaluator.engine.run import Assessment
from evaluator.pack.check_case import CaseDef
from evaluator.pack.definitions import AggregateDef, KindDef
from evaluator.report.explaining.document import Document, Line, document_of, place_of
from evaluator.report.explaining.explain import Explainer, find_subject
from evaluator.report.explaining.text import records_table, score_table, verdict_lines
from evaluator.report.reopen import PastRun, reopen
from evaluator.report.run_folder import write_run
from evaluator.report.text import as_table
from evaluator.report.words import say, shown
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, both, column, number, ordered
from evaluator.workbench.cases.differences import Difference

MOST_RECORDS = 20


def explained(made: Assessment, case: CaseDef, found: Sequence[Difference], folder: Path) -> list[Difference]:
    """Add to each difference what its value came from; the run is written to a folder, which explanations read."""
    write_run(made, folder)
    with reopen(folder) as run:
        explainers: dict[tuple[str, str], tuple[Explainer, Document]] = {}
        told = []
        for one in found:
            # where the total is given, it is not what the lines add up to, and there is nothing to explain
            if not one.name or case.years[-1].gives_total(made.pack.kinds[one.kind]):
                told.append(one)
                continue
            if (one.kind, one.key) not in explainers:
                explainer = Explainer(run, find_subject(run, f"{one.kind}:{one.key}"))
                explainers[one.kind, one.key] = explainer, document_of(explainer.explanation())
            told.append(replace(one, why=tuple(_why(run, case, one, *explainers[one.kind, one.key]))))
        return told


def _why(run: PastRun, case: CaseDef, one: Difference, explainer: Explainer, document: Document) -> Iterator[str]:
    pack, kind = run.pack, explainer.kind
    if document.lines and (lines := _around(document.lines, one.name)):
        yield from score_table(pack, lines).splitlines()
        for line in lines if one.name != "total" else ():
            if line.records:
                placed = [record.model_copy(update={"place": _place(case, record.place)}) for record in line.records]
                yield f"{say(pack, 'records')}: {line.label}"
                yield from records_table(pack, line.model_copy(update={"records": placed})).splitlines()
    for verdict in document.verdicts:
        if verdict.name == one.name:
            yield from dedent("\n".join(verdict_lines(pack, verdict, document.year))).splitlines()
    measure = kind.measures.get(one.name)
    if measure is not None and measure.value is not None:
        values = [
            f"{name} = {say(pack, 'unknown') if value is None else shown(pack, value)}"
            for name, value in explainer.values_in(measure.value)
        ]
        yield f"{measure.value.text}  ({', '.join(values)})  {place_of(measure.at)}"
    elif measure is not None and measure.aggregate is not None and not measure.aggregate.is_peers:
        yield f"{_aggregate(measure.aggregate)}  {place_of(measure.at)}"
        yield from _records(run, case, kind, measure.aggregate, explainer.sid)


def _around(lines: Sequence[Line], name: str) -> list[Line]:
    """Return a line of the score and those below it, the outermost at the margin."""
    start = next((place for place, line in enumerate(lines) if line.name == name), None)
    if start is None:
        return []
    first, *rest = lines[start:]
    own = [first]
    for line in rest:
        if line.depth <= first.depth:
            break
        own.append(line)
    return [line.model_copy(update={"depth": line.depth - first.depth}) for line in own]


def _aggregate(made: AggregateDef) -> str:
    operand = f"{made.function} {made.operand.text} of " if made.operand is not None else f"{made.function} "
    return operand + made.source + (f" where {made.where.text}" if made.where is not None else "")


def _records(run: PastRun, case: CaseDef, kind: KindDef, made: AggregateDef, sid: int) -> Iterator[str]:
    """Give a table of the records a measure reads, and which of them count."""
    state, pack = run.state, run.pack
    rows, link = linked_rows(state, kind, made.source, made.links)
    lowering = Lowering(rows)
    counts: SQL = lowering.condition(made.where) if made.where is not None else exp.true()
    value = sql_shown(lowering, made.operand.node) if made.operand is not None else exp.Null()
    place = [column(name, rows.alias) for name in ("#key", "#src", "#row")]
    conditions: list[SQL] = [exp.EQ(this=link, expression=number(sid))]
    in_period = state.in_period(made.source, rows.alias, made.period)
    if in_period is not None:
        conditions.append(in_period)
    query = rows.select(*place, counts, value).where(both(*conditions), copy=False)
    query = query.order_by(ordered(column("#key", rows.alias)), copy=False).limit(MOST_RECORDS + 1, copy=False)
    table = []
    found = state.db.rows(query)
    for key, source, row, does_count, brought in found[:MOST_RECORDS]:
        said = say(pack, "missing") if does_count is None else shown(pack, bool(does_count))
        where = _place(case, str(state.db.cell(source, row)))
        table.append([key, where, said, *([shown(pack, brought)] if made.operand is not None else [])])
    if table:
        headings = [say(pack, "record"), say(pack, "place"), say(pack, "holds")]
        yield from as_table([*headings, *([made.operand.text] if made.operand is not None else [])], table).splitlines()
    if len(found) > MOST_RECORDS:
        yield "…"


def _place(case: CaseDef, place: str) -> str:
    """Return file and line of the case in place of those of the sheet made of it."""
    file, _, row = place.rpartition(":")
    last = case.years[-1]
    rows = last.rows.get(Path(file).stem, [])
    if not row.isdigit() or not 2 <= int(row) < len(rows) + 2:
        return place
    return place_of(rows[int(row) - 2].at)
