"""Kinds checked: their score, measures and verdicts put together, exceptions and rosters."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.diagnostics import Span, rename_to
from evaluator.pack.check_measures import check_measure
from evaluator.pack.check_names import unique
from evaluator.pack.check_proofs import check_proofs
from evaluator.pack.check_scores import check_score
from evaluator.pack.check_verdicts import check_verdict
from evaluator.pack.context import Context
from evaluator.pack.definitions import ExceptionDef, KindDef, RosterDef, TableDef
from evaluator.pack.formulas import compile_formula, compile_optional, compile_order
from evaluator.pack.model import Kind
from evaluator.pack.scopes import subject_scope


def check_kind(context: Context, model: Kind, table: TableDef) -> KindDef:
    """Check a kind whose table is known."""
    name, scope = str(model.subject), subject_scope(context, str(model.subject))
    if model.display is not None and model.display not in model.fields:
        fix = rename_to(model.display, model.fields)
        context.problems.add("P401", f'{name} has no field "{model.display}"', model.display.at, fix)
    check_proofs(context, model)
    score = check_score(context, model.score, name) if model.score is not None else None
    measures = {str(key): made for key in model.measures if (made := check_measure(context, name, key)) is not None}
    verdicts = {str(key): check_verdict(context, name, key, verdict) for key, verdict in model.verdicts.items()}
    apart = []
    for exceptions in (model.not_assessed, model.not_ranked):
        made_of = [(compile_formula(e.when, scope, "boolean"), str(e.reason)) for e in exceptions]
        apart.append(tuple(ExceptionDef(when, reason) for when, reason in made_of if when is not None))
    return KindDef(
        table=table,
        display=str(model.display or table.key[0]),
        not_assessed=apart[0],
        not_ranked=apart[1],
        measures=measures,
        score=score,
        verdicts=verdicts,
        rosters=tuple(_rosters(context, name, model)),
        recalls=context.recalls[name],
        proofs=model.prove,
    )


def _rosters(context: Context, kind: str, model: Kind) -> Iterator[RosterDef]:
    scope = subject_scope(context, kind)
    seen: dict[str, Span] = {}
    for roster in model.rosters:
        unique(context, roster.id, seen, f"the rosters of {kind}")
        columns = []
        for column in roster.columns:
            found = None if column == "rank" else compile_formula(column, scope, None)
            columns.append((str(column), found))
        yield RosterDef(
            kind=kind,
            id=str(roster.id),
            model=roster,
            where=compile_optional(roster.where, scope, "boolean"),
            order_by=compile_order(roster.order_by, scope),
            within=compile_optional(roster.within, scope, None),
            columns=tuple(columns),
        )
