"""Families of verdicts, compiled to gates and positive rules."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems
from evaluator.engine.conditions import (
    FALSE,
    MOST_RULES,
    TRUE,
    UNSETTLED,
    Term,
    TooManyTerms,
    Tree,
    complement,
    settled,
    signature,
    terms,
)
from evaluator.engine.plan import Decide, make_plan, own_nodes
from evaluator.pack.definitions import KindDef, Pack, RuleDef, VerdictDef
from evaluator.pack.nodes import Case, Const, Junction, Name, Node, Not, Recall
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, choose, holds, is_null, text

UNKNOWN, NONE = "unknown", "none"
MOST_GATES = 200


@dataclass(frozen=True, slots=True)
class Gate:
    """A value of a subject that the rules of a family start from; SQL computes it."""

    name: str
    tests: tuple[Node, ...]
    form: str  # holds, fails, index

    def sql(self, lowering: Lowering) -> SQL:
        """Return the gate as SQL: a truth value, or for a list of rules the number of the first that holds."""
        if self.form == "holds":
            return holds(lowering.condition(self.tests[0]))
        if self.form == "fails":
            return holds(exp.Not(this=exp.paren(lowering.condition(self.tests[0]))))
        branches: list[tuple[SQL, SQL]] = []
        for place, test in enumerate(self.tests, 1):
            condition = lowering.condition(test)
            if test.nullable:
                branches.append((is_null(condition), text(UNKNOWN)))
            branches.append((condition, text(f"r{place}")))
        return choose(branches, text(NONE))


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """When these gates and verdicts are so, the verdict is this value."""

    id: int
    verdict: str
    value: str
    source: int  # number of the rule in the pack; 0 where none of them decided
    gates: dict[str, object]
    verdicts: dict[str, tuple[str, ...]]


@dataclass(slots=True)
class Family:
    """A family of verdicts, ready to judge."""

    kind: str
    verdicts: list[VerdictDef]
    gates: list[Gate] = field(default_factory=list)
    rules: list[CompiledRule] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.kind}.{'+'.join(v.name for v in self.verdicts)}"


def word(value: object) -> str:
    """Return a verdict's value as the word the rules use."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"={value}"


def domain(verdict: VerdictDef) -> tuple[object, ...]:
    """Return the values a verdict can have."""
    return (True, False) if verdict.form == "yes_no" else verdict.type.values


def _otherwise(verdict: VerdictDef) -> tuple[str, int]:
    """Return what a verdict is where no condition holds, and the number of the rule that says so."""
    return next(((word(rule.value), rule.number) for rule in verdict.rules if rule.when is None), (NONE, 0))


def compile_family(kind: KindDef, names: list[str], problems: Problems) -> Family:
    """Compile a family's rules to gates and positive rules."""
    family = Family(kind.name, [kind.verdicts[name] for name in names])
    compiler = _Compiler(family)
    for verdict in family.verdicts:
        compiler.add(verdict, problems)
    if len(family.gates) > MOST_GATES:
        problems.add(
            "P203",
            f"the verdicts {', '.join(names)} rest on {len(family.gates)} conditions",
            family.verdicts[0].at,
            "compute some of them as measures",
        )
    return family


def check_families(pack: Pack) -> None:
    """Raise Stop with everything wrong with the order in which a pack is computed, and with its families."""
    problems = Problems()
    for step in make_plan(pack, problems):
        if isinstance(step, Decide):
            compile_family(pack.kinds[step.kind], step.verdicts, problems)
    problems.stop_on_errors()


class _Compiler:
    def __init__(self, family: Family) -> None:
        self.family = family
        self.members = {v.name: v for v in family.verdicts}
        self.known: dict[tuple[str, str], Gate] = {}

    def add(self, verdict: VerdictDef, problems: Problems) -> None:
        """Add the rules of one verdict."""
        if verdict.form == "yes_no":
            assert verdict.when is not None
            holds = self.tree(verdict.when.node, True)
            outcomes = [(word(True), 1, holds), (word(False), 0, complement(holds, self._words))]
        elif verdict.model.pick == "first" and self._is_apart(verdict):
            outcomes = self._indexed(verdict)
        else:
            outcomes = self._listed(verdict)
        for value, source, tree in outcomes:
            alternatives: list[Term] | None
            try:
                alternatives = terms(tree)
            except TooManyTerms:
                alternatives = None
            if (
                alternatives is None
                or len(self.family.rules) + len(alternatives) > MOST_RULES
                or any(len(verdicts) > 14 for _, verdicts in alternatives)
            ):
                problems.add(
                    "P203",
                    f"the rules of {verdict.name} are too many to combine",
                    verdict.at,
                    "split it into several verdicts",
                )
                return
            for gates, verdicts in alternatives:
                reads = {name: tuple(sorted(values)) for name, values in verdicts.items()}
                self.family.rules.append(
                    CompiledRule(len(self.family.rules), verdict.name, value, source, gates, reads)
                )

    def _is_apart(self, verdict: VerdictDef) -> bool:
        """Whether there are tests, and none of them reads a verdict of the family."""
        tests = [rule.when.node for rule in verdict.rules if rule.when is not None]
        return bool(tests) and not any(self._reads_family(test) for test in tests)

    def _indexed(self, verdict: VerdictDef) -> list[tuple[str, int, Tree]]:
        """Compile a list whose tests read no verdict of the family: one gate tells the rule that holds."""
        tests = tuple(rule.when.node for rule in verdict.rules if rule.when is not None)
        gate = self._gate(tests, "index")
        outcomes = [
            (word(rule.value), rule.number, ("gate", gate.name, f"r{place}"))
            for place, rule in enumerate((r for r in verdict.rules if r.when is not None), 1)
        ]
        outcomes.append((*_otherwise(verdict), ("gate", gate.name, NONE)))
        if any(test.nullable for test in tests):
            outcomes.append((UNKNOWN, 0, ("gate", gate.name, UNKNOWN)))
        return outcomes

    def _listed(self, verdict: VerdictDef) -> list[tuple[str, int, Tree]]:
        """Compile a list some test of which reads the family, or of which more than the first counts."""
        ruled = [rule for rule in verdict.rules if rule.when is not None]
        holds = [self.tree(rule.when.node, True) for rule in ruled if rule.when is not None]
        fails = [self.tree(rule.when.node, False) for rule in ruled if rule.when is not None]
        known = [("or", (h, f)) for h, f in zip(holds, fails, strict=True)]
        outcomes: list[tuple[str, int, Tree]] = []
        unknown: list[Tree] = []
        for place, rule in enumerate(ruled):
            before = self._beaten_by(verdict, ruled, place)
            so_far: Tree = ("and", tuple(fails[i] for i in before))
            if verdict.model.pick == "one":
                so_far = ("and", tuple(known))
            outcomes.append((word(rule.value), rule.number, ("and", (so_far, holds[place]))))
            if self._can_be_unknown(rule):
                lost = complement(known[place], self._words)
                beside = [] if verdict.model.pick != "highest" else [  # one that holds and says the same is enough
                    complement(holds[i], self._words)
                    for i, other in enumerate(ruled)
                    if i != place and other.value == rule.value
                ]  # fmt: skip
                unknown.append(lost if verdict.model.pick == "one" else ("and", (so_far, lost, *beside)))
        nothing: Tree = ("and", tuple(fails))
        outcomes.append((*_otherwise(verdict), nothing))
        if unknown:
            outcomes.append((UNKNOWN, 0, ("or", tuple(unknown))))
        return outcomes

    @staticmethod
    def _beaten_by(verdict: VerdictDef, ruled: list[RuleDef], place: int) -> list[int]:
        """Return the rules that must fail for the one at `place` to decide."""
        if verdict.model.pick == "first":
            return list(range(place))
        if verdict.model.pick == "one":
            return []
        levels = list(verdict.type.values)
        mine = levels.index(ruled[place].value)
        return [i for i, rule in enumerate(ruled) if levels.index(rule.value) > mine]

    def _can_be_unknown(self, rule: RuleDef) -> bool:
        assert rule.when is not None
        return rule.when.node.nullable

    def _reads_family(self, node: Node) -> bool:
        return any(self._member(part) for part in own_nodes(node))

    def _member(self, node: Node) -> VerdictDef | None:
        if isinstance(node, Name) and not node.hops and node.owner == self.family.kind:
            return self.members.get(node.leaf)
        return None

    def _words(self, name: str) -> frozenset[str]:
        """Return every word a verdict of the family may be concluded as."""
        verdict = self.members[name]
        words = {word(value) for value in domain(verdict)}
        return frozenset(words | ({UNKNOWN, NONE} if verdict.form == "rules" else set()))

    def _gate(self, tests: tuple[Node, ...], form: str) -> Gate:
        key = ("|".join(signature(test) for test in tests), form)
        if key not in self.known:
            gate = Gate(f"g{len(self.known)}", tests, form)
            self.known[key] = gate
            self.family.gates.append(gate)
        return self.known[key]

    def tree(self, node: Node, positive: bool) -> Tree:
        """Return when a condition holds, or when it fails, as a tree without negation."""
        if not self._reads_family(node):
            if isinstance(node, Const):
                return TRUE if node.value is positive else FALSE
            if node.nullable and not positive:
                return ("gate", self._gate((node,), "fails").name, True)
            return ("gate", self._gate((node,), "holds").name, positive)
        match node:
            case Not():
                return self.tree(node.operand, not positive)
            case Junction():
                op = node.op if positive else {"and": "or", "or": "and"}[node.op]
                return (op, tuple(self.tree(part, positive) for part in node.parts))
            case Name():
                return ("verdict", node.leaf, frozenset({word(positive)}))
            case Case():
                return self._case(node, positive)
        return self._by_value(node, positive)

    def _case(self, node: Case, positive: bool) -> Tree:
        options: list[Tree] = []
        before: list[Tree] = []
        for branch in node.branches:
            options.append(("and", (*before, self.tree(branch.when, True), self.tree(branch.then, positive))))
            before.append(self.tree(branch.when, False))
        options.append(("and", (*before, self.tree(node.otherwise, positive))))
        return ("or", tuple(options))

    def _by_value(self, node: Node, positive: bool) -> Tree:
        """Spell out a condition for each value its verdicts can have."""
        names = sorted({part.leaf for part in own_nodes(node) if isinstance(part, Name) and self._member(part)})
        options: list[Tree] = []
        choices = [self._values(self.members[name]) for name in names]
        for values in product(*choices):
            given = dict(zip(names, values, strict=True))
            with_values = self._with(node, given)
            truth = settled(with_values)
            if truth == UNSETTLED:
                told = self.tree(with_values, positive)
            else:
                told = TRUE if truth is positive else FALSE
            is_so = tuple(
                ("verdict", name, frozenset({UNKNOWN if value is None else word(value)}))
                for name, value in given.items()
            )
            options.append(("and", (*is_so, told)))
        return ("or", tuple(options))

    @staticmethod
    def _values(verdict: VerdictDef) -> tuple[object, ...]:
        return (*domain(verdict), None) if verdict.model.optional else domain(verdict)

    def _with(self, node: Node, given: dict[str, object]) -> Node:
        """Return the node with verdicts replaced by values."""
        if isinstance(node, Name) and self._member(node):
            value = given[node.leaf]
            return Const(node.type, value is None, node.place, value)
        if isinstance(node, Recall):  # its names are those of other years
            return node
        changes: dict[str, Any] = {}
        for name in node.__dataclass_fields__:
            part = getattr(node, name)
            if isinstance(part, Node):
                changes[name] = self._with(part, given)
            elif isinstance(part, tuple) and part and isinstance(part[0], Node):
                changes[name] = tuple(self._with(p, given) for p in part)
        return replace(node, **changes) if changes else node
