"""Whether things getting better ever makes a result worse: more activity, fewer misses, better outcomes.

Better is one more record that only helps, or a better measure or field; everything else stays. What the form of the
rules does not settle, the solver does: it looks for a subject before and after, with the directions that the form has
shown for whatever lies below.
"""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.diagnostics import Diagnostic
from evaluator.engine.plan import Value as Planned
from evaluator.pack.definitions import VerdictDef
from evaluator.pack.types import NUMBER, Type
from evaluator.report.proofs import Statement, Status
from evaluator.solve.arithmetic import Choice, Number, Truth, Value
from evaluator.solve.moves import Moved
from evaluator.solve.program import FALSE, Lit, Solution, Untranslatable, constant
from evaluator.solve.score import Subject
from evaluator.workbench.cases.differences import shown_value
from evaluator.workbench.proving.setting import Setting, verdict_value
from evaluator.workbench.proving.signs import DOWN, MIXED, SAME, UP, Sign, Signs
from evaluator.workbench.proving.somebody import Made, Somebody

BY_FORM = "by the form of its rules"


def monotone(setting: Setting) -> Iterator[Statement]:
    """Prove or refute of the total and of each verdict with an order that nothing better lowers it."""
    kind = setting.kind
    if kind.score is not None:
        yield _stated(setting, Planned(kind.name, "line", "total"), None)
    for verdict in kind.verdicts.values():
        if verdict.type.is_ordered or verdict.type.base == "boolean":
            yield _stated(setting, verdict_value(verdict.name, kind), verdict)


def _stated(setting: Setting, value: Planned, verdict: VerdictDef | None) -> Statement:
    """Prove it by form, or else by search; or look for a subject that is worse off."""
    at = verdict.at if verdict is not None else setting.kind.lines[0].at
    name = value.name

    def say(status: Status, grounds: str, example: Made | None = None, **more: str) -> Statement:
        return setting.statement("monotone", name, status, grounds, at, example=example, **more)

    unsaid = [one for one in setting.open if _is_moved_by(setting, value, one)]
    if unsaid:
        better = f"better: [{{of: {unsaid[0]}, is: more}}]"
        fix = f"say it under prove in {at.file}: {better}, or less; or neither, and because"
        return say("unknown", f"nobody says whether more or less is better of: {', '.join(unsaid)}", fix=fix)
    sign = setting.signs.value(value)
    is_free = verdict is not None and not verdict.type.is_ordered  # which truth is the better one is not said
    if sign in (UP, SAME) or (is_free and sign is DOWN):
        return say("proved", f"{_kept(sign, is_free)}, {BY_FORM}")
    declared = setting.declared.get(name)
    ways = [declared] if declared in (UP, DOWN) else [UP, DOWN] if is_free and verdict is not None else [UP]
    if is_free and verdict is not None and verdict.form == "quota":
        ways = [UP]
    try:
        for way in ways:
            before = setting.anyone()
            after = setting.anyone(before)
            worse = _is_worse(before, after, value, way, verdict)
            if before.program.search(constant(0), [worse], [], setting.seconds).status == "none":
                setting.signs.proved[name] = way
                setting.signs.forget()  # what rests on it may follow by form now
                return say("proved", f"{_kept(way, is_free)}, by search")
        if len(ways) > 1:
            fix = f"say under prove in {at.file} which is better: better: [{{of: {name}, is: more}}], or less"
            return say("unknown", "true may turn to false, and false to true", fix=fix)
        made, said = _worse_off(setting, value, ways[0], verdict)
    except Untranslatable as why:
        return say("unknown", str(why))
    return say("refuted" if made is not None else "unknown", said, made)


def _kept(way: Sign, is_truth: bool) -> str:
    if way is SAME:
        return "nothing moves it"
    if not is_truth:
        return "never down"
    return "true stays true" if way is UP else "false stays false"


def _is_moved_by(setting: Setting, value: Planned, name: str) -> bool:
    """Whether a measure or field has anything to do with a value."""
    alone = Signs(setting.pack, setting.kind, setting.signs.better | {name: UP}, holds_records=True)
    held = Signs(setting.pack, setting.kind, setting.signs.better, holds_records=True)
    return alone.value(value) is not held.value(value)


def _is_worse(before: Subject, after: Subject, value: Planned, way: Sign, verdict: VerdictDef | None) -> Lit:
    """Return whether a value is worse after than before."""
    earlier, later = before.value(value), after.value(value)
    kind = verdict.type if verdict is not None else NUMBER
    less, more = (later, earlier) if way is UP else (earlier, later)
    return _is_below(before, less, more, kind)


def _is_below(subject: Subject, less: Value, more: Value, kind: Type) -> Lit:
    made = subject.translation
    if isinstance(less, Number) and isinstance(more, Number):
        return made._order("<", less, more).yes
    if isinstance(less, Truth) and isinstance(more, Truth):
        return subject.program.both(less.no, more.yes)
    if isinstance(less, Choice) and isinstance(more, Choice) and kind.is_ordered:
        return made._order("<", made._level(less, kind.values), made._level(more, kind.values)).yes
    raise Untranslatable("its values have no order")


# --- a subject that is worse off ---


def _worse_off(setting: Setting, value: Planned, way: Sign, verdict: VerdictDef | None) -> tuple[Made | None, str]:
    """Return a subject that something better makes worse, judged by the engine, and what becomes of it."""
    before, after = _pair(setting)
    program = before.program
    worse = _is_worse(before, after, value, way, verdict)
    found = program.search(program.plus(*before.counts), [worse], before.counts, setting.seconds)
    if found.status != "found":
        return None, "a subject that is worse off may be possible, and none was found"
    first, second = before.made(found), after.made(found)
    outcomes = [setting.judged(made, [value]) for made in (first, second)]
    predicted = [_python(one, value, found) for one in (before, after)]
    for outcome, expected in zip(outcomes, predicted, strict=True):
        if isinstance(outcome, Diagnostic):
            return None, f"of the subject that was found a run would stop: {outcome.message}"
        if outcome != [expected]:
            return None, f"the engine comes to {shown_value(outcome[0])}, the search to {shown_value(expected)}"
    return first, f"{shown_value(predicted[0])} becomes {shown_value(predicted[1])} with {_difference(first, second)}"


def _python(subject: Somebody, value: Planned, found: Solution) -> object:
    return Somebody.python(subject.value(value), found)


def _difference(before: Made, after: Made) -> str:
    had = dict(before.records)
    more = tuple((move, n - had.get(move, 0)) for move, n in after.records if n > had.get(move, 0))
    fields = {name: value for name, value in after.fields.items() if before.fields.get(name) != value}
    return f"{Made(fields, more)} more"


def _pair(setting: Setting) -> tuple[Somebody, Somebody]:
    """Return a subject, and the same with one more record that only helps, or with better fields."""
    before = setting.somebody()
    before.put()
    program = before.program
    good = [_is_good(setting, one) for one in setting.moves.moved]
    extra = [program.variable(0, 1) if is_good else constant(0) for is_good in good]
    counts = [program.plus(count, more) for count, more in zip(before.counts, extra, strict=True)]
    fields = dict(before.fields)
    betters: list[Lit] = []
    for name, field in before.fields.items():
        sign = setting.signs.better.get(name, SAME)
        if sign in (UP, DOWN) and isinstance(field, Number) and field.den.is_constant and not field.num.is_constant:
            other = Number(program.variable(field.num.low, field.num.high), field.den, field.known)
            less, more = (field, other) if sign is UP else (other, field)
            program.require(program.is_at_most(less.num, more.num))
            betters.append(-program.is_equal(less.num, more.num))
            fields[name] = other
    after = setting.somebody(program=program, counts=counts, fields=fields, years=before.years)
    after.put()
    one_more = program.is_equal(program.plus(*extra), constant(1)) if extra else FALSE
    program.require(one_more, *betters)
    program.require(program.is_at_most(program.plus(*extra), constant(1)) if extra else program.either())
    return before, after


def _is_good(setting: Setting, moved: Moved) -> bool:
    """Whether one more record of a sort only helps: it brings points, or counts where more is better."""
    found: set[bool] = set()
    for place, rows in moved.gives.items():
        reading = setting.moves.readings[place]
        if reading.line is not None:
            found |= {int(str(row[0])) > 0 for row in rows if row[0]}
        else:
            sign = setting.signs.value(Planned(setting.kind.name, "measure", reading.name))
            found |= {sign is UP} if sign in (UP, DOWN) else {False} if sign is MIXED else set()
    return found == {True} and moved.move.action == "add"
