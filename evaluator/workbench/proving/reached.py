"""Whether every value of a verdict is come to by somebody, and by how little: what the rules can be had for."""

from __future__ import annotations

from collections.abc import Iterator

from evaluator.diagnostics import Diagnostic
from evaluator.pack.definitions import VerdictDef
from evaluator.report.proofs import Statement
from evaluator.solve.program import Lit, Untranslatable, constant
from evaluator.solve.score import Subject
from evaluator.workbench.cases.differences import shown_value
from evaluator.workbench.proving.setting import Setting, verdict_value
from evaluator.workbench.proving.somebody import Somebody


def reached(setting: Setting, verdict: VerdictDef) -> Iterator[Statement]:
    """Prove or refute of each value of a verdict that some subject has it; with the fewest records that do."""
    values: list[object] = [True, False] if verdict.type.base == "boolean" else list(verdict.type.values)
    somebody: Somebody | None = None
    for value in values:
        why = ""
        try:
            if somebody is None:
                somebody = setting.somebody()
                somebody.put()
            found, why = _cheapest(setting, verdict, value, somebody)
            if found is not None:
                yield found
                continue
        except Untranslatable as said:
            why = str(said)
        yield _shown(setting, verdict, value) or _never(setting, verdict, value, why)


def _is(subject: Subject, verdict: VerdictDef, value: object) -> Lit:
    return subject.translation.is_value(subject.verdict(verdict.name), value)


def _cheapest(setting: Setting, verdict: VerdictDef, value: object, somebody: Somebody) -> tuple[Statement | None, str]:
    """Return the cheapest way to a value, or why there is none to show."""
    is_it = _is(somebody, verdict, value)
    program = somebody.program
    costs = somebody.costs()
    found = program.search(program.plus(*costs), [is_it], costs, setting.seconds)
    if found.status == "late":
        return None, f"not found within {setting.seconds:g} s"
    if found.status == "none":
        left_out = f"; left out: {'; '.join(setting.left_out)}" if setting.left_out else ""
        return None, f"no records that a subject alone could have come to it{left_out}"
    made = somebody.made(somebody.plainest(found, [is_it], setting.seconds))
    outcome = setting.judged(made, [verdict_value(verdict.name, setting.kind)])
    if isinstance(outcome, Diagnostic):
        return None, f"of the subject that was found a run would stop: {outcome.message}"
    if outcome != [value]:
        return None, f"the engine comes to {shown_value(outcome[0])} for {made}"
    grounds = "a subject with it, judged by the engine"
    return (
        setting.statement("reached", verdict.name, "proved", grounds, verdict.at, shown_value(value), made),
        "",
    )


def _shown(setting: Setting, verdict: VerdictDef, value: object) -> Statement | None:
    """Return that a subject of a case comes to a value, where one does."""
    who = setting.shown().get((setting.kind.name, verdict.name, value))
    if who is None:
        return None
    return setting.statement("reached", verdict.name, "proved", who, verdict.at, shown_value(value))


def _never(setting: Setting, verdict: VerdictDef, value: object, why: str) -> Statement:
    """Refute a value that not even any values at all come to; what can be there and was not found is unknown."""
    try:
        anyone = setting.anyone()
        found = anyone.program.search(constant(0), [_is(anyone, verdict, value)], [], setting.seconds)
        if found.status == "none":
            said = "no subject can come to it"
            return setting.statement("reached", verdict.name, "refuted", said, verdict.at, shown_value(value))
    except Untranslatable as said_why:
        why = why or str(said_why)
    return setting.statement("reached", verdict.name, "unknown", why, verdict.at, shown_value(value))
