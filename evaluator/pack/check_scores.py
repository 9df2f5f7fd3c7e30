"""Lines of the score checked: what brings points, ids, and records that could count twice."""

from __future__ import annotations

from dataclasses import replace

from evaluator.diagnostics import Span, rename_to
from evaluator.pack.check_measures import check_period, record_links
from evaluator.pack.check_names import unique
from evaluator.pack.check_selection import check_selection
from evaluator.pack.context import Context
from evaluator.pack.definitions import AggregateDef, JudgedDef, LineDef, TimesDef, VetoDef
from evaluator.pack.exclusion import can_both_hold
from evaluator.pack.formulas import compile_formula, compile_optional
from evaluator.pack.in_force import is_ever_in_force
from evaluator.pack.model_judgement import Line
from evaluator.pack.scopes import NameScope, record_scope, subject_scope


def check_score(context: Context, model: Line, kind: str) -> LineDef:
    """Check the whole score of a kind."""
    score = _line(context, model, kind, "total", None, 0)
    _check_line_ids(context, score)
    _check_counting_again(context, score)
    return score


def _line(context: Context, model: Line, kind: str, id_: str, parent: str | None, depth: int) -> LineDef:
    scope = subject_scope(context, kind)
    aggregate = points = None
    if model.each is not None:
        if model.each not in context.models:
            fix = rename_to(model.each, context.models)
            context.problems.add("P402", f'there is no table or kind "{model.each}"', model.each.at, fix)
        else:
            assert model.points is not None
            record = record_scope(context, str(model.each), kind)
            links = record_links(context, str(model.each), kind, model.via, model.each.at)
            where = compile_optional(model.where, record, "boolean")
            each_points = compile_formula(model.points, record.where(where), "number")
            if links is not None and each_points is not None:
                period = check_period(context, model.period, str(model.each))
                aggregate = AggregateDef(
                    "sum", str(model.each), links, each_points, where, None, False, None, period=period
                )
    elif model.points is not None:
        points = compile_formula(model.points, scope, "number")
    made = LineDef(
        id=id_,
        model=model,
        at=model.id.at if model.id is not None else model.at,
        parent=parent,
        depth=depth,
        when=compile_optional(model.when, scope, "boolean"),
        aggregate=aggregate,
        points=points,
        base=compile_optional(model.base, scope, "number"),
        min=compile_optional(model.min, scope, "number"),
        max=compile_optional(model.max, scope, "number"),
        items=tuple(_line(context, item, kind, str(item.id), id_, depth + 1) for item in model.items or ()),
        times=_times(model, scope),
        veto=_veto(context, model, scope, parent),
        judged=_judged(context, model, scope),
    )
    return replace(made, selection=check_selection(context, model, kind, _leaves(context, made)))


def _leaves(context: Context, line: LineDef) -> list[LineDef]:
    """Return the lines that bring a line its records; note one below it that hides them."""
    is_choosing = line.model.once_per is not None or line.model.series is not None
    for below in line.walk():
        if is_choosing and below is not line and below.times:
            key = "once_per" if line.model.once_per is not None else "series"
            message = f'{key} cannot see the records of "{below.id}": with its factors it counts as one award'
            context.problems.add("P203", message, line.model.key_at(key), "move the factors, or choose inside")
    return [below for below in line.walk() if below.aggregate is not None]


def _times(model: Line, scope: NameScope) -> tuple[TimesDef, ...]:
    made = [(compile_optional(one.when, scope, "boolean"), compile_formula(one.by, scope, "number"), one)
            for one in model.times or ()]  # fmt: skip
    return tuple(TimesDef(when, by, one) for when, by, one in made if by is not None)


def _veto(context: Context, model: Line, scope: NameScope, parent: str | None) -> tuple[VetoDef, ...]:
    if model.veto is not None and parent is not None:
        context.problems.add("P203", "a veto sets the total", model.key_at("veto"), "write it on the outermost line")
        return ()
    made = [(compile_formula(one.when, scope, "boolean"), compile_formula(one.to, scope, "number"), one)
            for one in model.veto or ()]  # fmt: skip
    return tuple(VetoDef(when, to, one) for when, to, one in made if when is not None and to is not None)


def _judged(context: Context, model: Line, scope: NameScope) -> JudgedDef | None:
    if model.judged is None:
        return None
    low, high = (compile_formula(bound, scope, "number") for bound in model.judged)
    return None if low is None or high is None else JudgedDef(low, high, str(model.by))


def _check_line_ids(context: Context, score: LineDef) -> None:
    seen: dict[str, Span] = {}
    for line in score.walk():
        if line.model.id is not None and line.parent is not None:
            unique(context, line.model.id, seen, "the score")
            if line.id == "total":
                context.problems.add("P206", '"total" is the whole score', line.model.id.at)


def _chosen_together(score: LineDef, *lines: LineDef) -> bool:
    """Whether a line above both counts each key once, and so each record."""
    wanted = {line.id for line in lines}
    choosing = [above for above in score.walk() if above.selection is not None and above.selection.is_once]
    return any(wanted <= {line.id for line in above.walk()} for above in choosing)


def _ever_together(context: Context, score: LineDef, *lines: LineDef) -> bool:
    """Whether there is a year in which all these lines are in force, and the lines above them."""
    wanted = {line.id for line in lines}
    above = [one.model.in_force for one in score.walk() if wanted & {line.id for line in one.walk()}]
    return is_ever_in_force([span for span in above if span is not None], context.file.period)


def _check_counting_again(context: Context, score: LineDef) -> None:
    each = [line for line in score.walk() if line.aggregate is not None]
    for place, later in enumerate(each):
        if later.model.again:
            continue
        shared = []
        for earlier in each[:place]:
            a, b = earlier.aggregate, later.aggregate
            assert a is not None and b is not None
            if a.source != b.source:
                continue
            if _chosen_together(score, earlier, later) or not _ever_together(context, score, earlier, later):
                continue
            if can_both_hold(a.where.node if a.where else None, b.where.node if b.where else None):
                shared.append(earlier)
        if shared:
            names = " and ".join(f'"{earlier.id}"' for earlier in shared)
            message = f'a record of {later.model.each} that scores in "{later.id}" can also score in {names}'
            also = [(earlier.at, f'"{earlier.id}"') for earlier in shared]
            context.problems.add("P406", message, later.at, also=also)
