"""Whether each subject gets exactly one value of a verdict: some rule holds, no two disagree, nothing is unknown.

Where the situations a family of verdicts may be in are few, the rule engine judges every one of them, and the solver
says which of those that come to no conclusion can be at all. Where they are many, the solver looks at the rules alone.
"""

from __future__ import annotations

from itertools import product

from evaluator.diagnostics import Diagnostic, Problems
from evaluator.engine.decide import judge
from evaluator.engine.families import NONE, UNKNOWN, Family, Gate, compile_family
from evaluator.engine.plan import Decide, make_plan
from evaluator.pack.definitions import RuleDef, VerdictDef
from evaluator.report.proofs import Statement
from evaluator.solve.arithmetic import Truth
from evaluator.solve.program import FALSE, TRUE, Lit, Untranslatable, constant
from evaluator.solve.score import Subject
from evaluator.workbench.proving.setting import Setting, verdict_value

MOST_SITUATIONS = 4096
NO_ONE_VALUE = ("R101", "R102", "R103")  # no rule holds, rules disagree, a verdict is unknown
MOST_OPEN = 400
"""So many situations without one conclusion are put to the solver; of more, the rules are."""


def decided(setting: Setting, verdict: VerdictDef) -> Statement:
    """Prove or refute that each subject gets exactly one value of a verdict by rules."""
    name = verdict.name
    try:
        judged, open_ = _by_engine(setting, verdict)
        if judged and not open_:
            return setting.statement("decided", name, "proved", f"{judged:,} situations, each judged", verdict.at)
        anyone = setting.anyone()
        program = anyone.program
        if judged and len(open_) <= MOST_OPEN:
            family = _family(setting, verdict)
            lits = {gate.name: _gate(anyone, gate) for gate in family.gates}
            is_bad = program.either(*(program.both(*(lits[g][v] for g, v in one.items())) for one in open_))
            grounds = f"{judged:,} situations, each judged; the {len(open_):,} without one value cannot be"
        else:
            is_bad = program.either(*(lit for _, lit in _failures(anyone, verdict)))
            grounds = "the conditions of the rules, by search"
        found = program.search(constant(0), [is_bad], [], setting.seconds)
        if found.status == "none":
            return setting.statement("decided", name, "proved", grounds, verdict.at)
        return _refuted(setting, verdict)
    except Untranslatable as why:
        return setting.statement("decided", name, "unknown", str(why), verdict.at)


def _refuted(setting: Setting, verdict: VerdictDef) -> Statement:
    """Look for a subject that gets no value, or two."""
    name = verdict.name
    somebody = setting.somebody()
    for said, lit in _failures(somebody, verdict):
        least = somebody.program.plus(*somebody.counts)
        found = somebody.program.search(least, [lit], somebody.counts, setting.seconds)
        if found.status == "found":
            made = somebody.made(found)
            outcome = setting.judged(made, [verdict_value(name, setting.kind)])
            if isinstance(outcome, Diagnostic) and outcome.code in NO_ONE_VALUE:
                grounds = f"{said}; a run would stop: {outcome.message}"
                return setting.statement("decided", name, "refuted", grounds, verdict.at, example=made)
    said = "a subject without exactly one value may be possible, and none was found"
    return setting.statement("decided", name, "unknown", said, verdict.at)


def _failures(subject: Subject, verdict: VerdictDef) -> list[tuple[str, Lit]]:
    """Return the ways in which the rules come to no value, or to several, each with when that is so."""
    program = subject.program
    ruled = [(rule, subject.translation.truth(rule.when.node)) for rule in verdict.rules if rule.when is not None]
    tests = [test for _, test in ruled]
    found: list[tuple[str, Lit]] = []
    if all(rule.when is not None for rule in verdict.rules):
        found.append(("no rule holds", program.both(*(test.no for test in tests))))
    if verdict.model.pick == "one":
        found += _disagreements(subject, ruled)
    if not verdict.model.optional:
        found += [("a condition is unknown", lit) for lit in _unknowns(subject, verdict, ruled)]
    return [(said, lit) for said, lit in found if lit != FALSE]


def _disagreements(subject: Subject, ruled: list[tuple[RuleDef, Truth]]) -> list[tuple[str, Lit]]:
    return [
        (f"rules {rule.number} and {other.number} disagree", subject.program.both(test.yes, its.yes))
        for place, (rule, test) in enumerate(ruled)
        for other, its in ruled[place + 1 :]
        if other.value != rule.value
    ]


def _unknowns(subject: Subject, verdict: VerdictDef, ruled: list[tuple[RuleDef, Truth]]) -> list[Lit]:
    """Return when a test is unknown and nothing decides in spite of it."""
    program = subject.program
    levels = list(verdict.type.values)
    found = []
    for place, (rule, test) in enumerate(ruled):
        if verdict.model.pick == "first":
            so_far = [its.no for _, its in ruled[:place]]
        elif verdict.model.pick == "highest":
            mine = levels.index(rule.value)
            so_far = [its.no for other, its in ruled if levels.index(other.value) > mine]
            so_far += [-its.yes for other, its in ruled if other is not rule and other.value == rule.value]
        else:
            so_far = []
        found.append(program.both(*so_far, -test.yes, -test.no))
    return found


# --- every situation ---


def _family(setting: Setting, verdict: VerdictDef) -> Family:
    steps = make_plan(setting.pack, Problems())
    names = next(
        step.verdicts
        for step in steps
        if isinstance(step, Decide) and step.kind == setting.kind.name and verdict.name in step.verdicts
    )
    return compile_family(setting.kind, names, Problems())


def _by_engine(setting: Setting, verdict: VerdictDef) -> tuple[int, list[dict[str, object]]]:
    """Judge every situation there could be; return how many, and those that give the verdict no single value."""
    family = _family(setting, verdict)
    domains = [_domain(gate) for gate in family.gates]
    count = 1
    for domain in domains:
        count *= len(domain)
    if count > MOST_SITUATIONS:
        return 0, []
    names = [gate.name for gate in family.gates]
    situations = [dict(zip(names, values, strict=True)) for values in product(*domains)]
    nothing = {NONE, None} | ({UNKNOWN} if not verdict.model.optional else set())
    judgements = judge(family, situations, setting.standings.bench)
    open_ = [
        situation
        for situation, judgement in zip(situations, judgements, strict=True)
        if verdict.name in judgement.conflicts or judgement.concluded.get(verdict.name) in nothing
    ]
    return count, open_


def _domain(gate: Gate) -> list[object]:
    if gate.form != "index":
        return [True, False]
    unknown: list[object] = [UNKNOWN] if any(test.nullable for test in gate.tests) else []
    return [*(f"r{place}" for place in range(1, len(gate.tests) + 1)), NONE, *unknown]


def _gate(subject: Subject, gate: Gate) -> dict[object, Lit]:
    """Return when a gate has each of its values."""
    program = subject.program
    tests = [subject.translation.truth(test) for test in gate.tests]
    if gate.form != "index":
        lit = tests[0].yes if gate.form == "holds" else tests[0].no
        return {True: lit, False: -lit}
    found: dict[object, Lit] = {}
    before: Lit = TRUE
    unknown = []
    for place, test in enumerate(tests, 1):
        found[f"r{place}"] = program.both(before, test.yes)
        unknown.append(program.both(before, -test.yes, -test.no))
        before = program.both(before, test.no)
    return found | {NONE: before, UNKNOWN: program.either(*unknown)}
