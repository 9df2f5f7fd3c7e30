"""Conclude verdicts: families of rules, compiled to gates and positive rules, judged once a situation.

A family is a set of verdicts connected by what they read. Its gates are the largest conditions that read none of its
verdicts; SQL computes them, and subjects with the same gates are in the same situation. The rules over gates and
verdicts are all positive, so that nothing is ever concluded from absence. Each situation is judged twice, by
durable-rules in a child process and by a plain fixpoint here; they must agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any

from sqlglot import exp

from evaluator.diagnostics import Problems, Span, Stop
from evaluator.engine.plan import own_nodes
from evaluator.pack import expression as ex
from evaluator.pack.definitions import KindDef, RuleDef, VerdictDef
from evaluator.sql.lower import Lowering
from evaluator.sql.trees import SQL, choose, is_null, text

UNKNOWN, NONE = "unknown", "none"
UNSETTLED = "unsettled"
MOST_RULES = 2000
MOST_TERMS = 10_000  # alternatives compared at a time; more would take minutes to compile
MOST_GATES = 200
SECONDS_TO_JUDGE = 600

# a condition over gates and verdicts, without negation:
#   ("gate", name, value) · ("verdict", name, values) · ("and", parts) · ("or", parts)
Tree = tuple[Any, ...]
TRUE: Tree = ("and", ())
FALSE: Tree = ("or", ())
# one conjunction: gate -> value, verdict -> values
Term = tuple[dict[str, object], dict[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Gate:
    """A value of a subject that the rules of a family start from; SQL computes it."""

    name: str
    tests: tuple[ex.Node, ...]
    form: str  # holds, fails, index

    def sql(self, lowering: Lowering) -> SQL:
        """Return the gate as SQL: a truth value, or for a list of rules the number of the first that holds."""
        if self.form == "holds":
            return exp.Coalesce(this=lowering.condition(self.tests[0]), expressions=[exp.false()])
        if self.form == "fails":
            return exp.Coalesce(
                this=exp.Not(this=exp.paren(lowering.condition(self.tests[0]))), expressions=[exp.false()]
            )
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is concluded of one situation."""

    concluded: dict[str, str]
    conflicts: tuple[str, ...]
    fired: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]


def word(value: object) -> str:
    """Return a verdict's value as the word the rules use."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"={value}"


def domain(verdict: VerdictDef) -> tuple[object, ...]:
    """Return the values a verdict can have."""
    return (True, False) if verdict.form == "yes_no" else verdict.type.values


# ---------------------------------------------------------------------------------------------------------
# compiling
# ---------------------------------------------------------------------------------------------------------


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
        last = verdict.rules[-1]
        if last.when is None:
            outcomes.append((word(last.value), last.number, ("gate", gate.name, NONE)))
        else:
            outcomes.append((NONE, 0, ("gate", gate.name, NONE)))
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
        last = verdict.rules[-1]
        if last.when is None:
            outcomes.append((word(last.value), last.number, nothing))
        else:
            outcomes.append((NONE, 0, nothing))
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

    def _reads_family(self, node: ex.Node) -> bool:
        return any(self._member(part) for part in own_nodes(node))

    def _member(self, node: ex.Node) -> VerdictDef | None:
        if isinstance(node, ex.Name) and not node.hops and node.owner == self.family.kind:
            return self.members.get(node.leaf)
        return None

    def _words(self, name: str) -> frozenset[str]:
        """Return every word a verdict of the family may be concluded as."""
        verdict = self.members[name]
        words = {word(value) for value in domain(verdict)}
        return frozenset(words | ({UNKNOWN, NONE} if verdict.form == "rules" else set()))

    def _gate(self, tests: tuple[ex.Node, ...], form: str) -> Gate:
        key = ("|".join(signature(test) for test in tests), form)
        if key not in self.known:
            gate = Gate(f"g{len(self.known)}", tests, form)
            self.known[key] = gate
            self.family.gates.append(gate)
        return self.known[key]

    def tree(self, node: ex.Node, positive: bool) -> Tree:
        """Return when a condition holds, or when it fails, as a tree without negation."""
        if not self._reads_family(node):
            if isinstance(node, ex.Const):
                return TRUE if node.value is positive else FALSE
            if node.nullable and not positive:
                return ("gate", self._gate((node,), "fails").name, True)
            return ("gate", self._gate((node,), "holds").name, positive)
        match node:
            case ex.Not():
                return self.tree(node.operand, not positive)
            case ex.Junction():
                op = node.op if positive else {"and": "or", "or": "and"}[node.op]
                return (op, tuple(self.tree(part, positive) for part in node.parts))
            case ex.Name():
                return ("verdict", node.leaf, frozenset({word(positive)}))
            case ex.Case():
                return self._case(node, positive)
        return self._by_value(node, positive)

    def _case(self, node: ex.Case, positive: bool) -> Tree:
        options: list[Tree] = []
        before: list[Tree] = []
        for branch in node.branches:
            options.append(("and", (*before, self.tree(branch.when, True), self.tree(branch.then, positive))))
            before.append(self.tree(branch.when, False))
        options.append(("and", (*before, self.tree(node.otherwise, positive))))
        return ("or", tuple(options))

    def _by_value(self, node: ex.Node, positive: bool) -> Tree:
        """Spell out a condition for each value its verdicts can have."""
        names = sorted({part.leaf for part in own_nodes(node) if isinstance(part, ex.Name) and self._member(part)})
        options: list[Tree] = []
        choices = [self._values(self.members[name]) for name in names]
        for values in product(*choices):
            given = dict(zip(names, values, strict=True))
            with_values = self._with(node, given)
            truth = _settled(with_values)
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

    def _with(self, node: ex.Node, given: dict[str, object]) -> ex.Node:
        """Return the node with verdicts replaced by values."""
        if isinstance(node, ex.Name) and self._member(node):
            value = given[node.leaf]
            return ex.Const(node.type, value is None, node.place, value)
        changes: dict[str, Any] = {}
        for name in node.__dataclass_fields__:
            part = getattr(node, name)
            if isinstance(part, ex.Node):
                changes[name] = self._with(part, given)
            elif isinstance(part, tuple) and part and isinstance(part[0], ex.Node):
                changes[name] = tuple(self._with(p, given) for p in part)
        return replace(node, **changes) if changes else node


def _settled(node: ex.Node) -> bool | str | None:
    """Return the truth of a comparison of constants, None where it is unknown; UNSETTLED where it is not one."""
    if isinstance(node, ex.Compare) and isinstance(node.left, ex.Const) and isinstance(node.right, ex.Const):
        a, b = node.left.value, node.right.value
        if a is None or b is None:
            return None
        if node.op in ("=", "<>"):
            return (a == b) == (node.op == "=")
        levels = node.left.type.values if node.left.type.is_ordered else node.right.type.values
        if levels and not isinstance(a, Fraction):
            a, b = levels.index(a), levels.index(b)
        return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[node.op])  # type: ignore[operator]
    if isinstance(node, ex.OneOf) and isinstance(node.operand, ex.Const):
        if not all(isinstance(item, ex.Const) for item in node.items):
            return UNSETTLED
        if node.operand.value is None:
            return None
        return node.operand.value in [item.value for item in node.items if isinstance(item, ex.Const)]
    if isinstance(node, ex.IsNull) and isinstance(node.operand, ex.Const):
        return node.operand.value is None
    return UNSETTLED


def signature(node: ex.Node) -> str:
    """Return a text that is the same for conditions that say the same, wherever they stand."""
    parts = []
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if name in ("place", "nullable", "type"):
            continue
        if isinstance(value, ex.Node):
            parts.append(signature(value))
        elif isinstance(value, tuple) and value and isinstance(value[0], ex.Node):
            parts.append("[" + ",".join(signature(v) for v in value) + "]")
        else:
            parts.append(repr(value))
    return f"{type(node).__name__}({','.join(parts)})"


def complement(tree: Tree, words: Any) -> Tree:
    """Return when a tree does not hold; gates and verdicts have one value each, so this stays positive."""
    match tree[0]:
        case "gate":
            return ("gate", tree[1], not tree[2])
        case "verdict":
            return ("verdict", tree[1], words(tree[1]) - tree[2])
    op = {"and": "or", "or": "and"}[tree[0]]
    return (op, tuple(complement(part, words) for part in tree[1]))


class TooManyTerms(Exception):  # noqa: N818 - caught where the verdict is known
    """A condition has more alternatives than can be judged."""


def terms(tree: Tree) -> list[Term]:
    """Return a tree as alternatives of plain conjunctions, without those that another one covers."""
    match tree[0]:
        case "gate":
            return [({tree[1]: tree[2]}, {})]
        case "verdict":
            return [({}, {tree[1]: tree[2]})] if tree[2] else []
        case "or":
            listed = [term for part in tree[1] for term in terms(part)]
            if len(listed) > MOST_RULES:
                raise TooManyTerms
            return _without_covered(listed)
    found: list[Term] = [({}, {})]
    for part in tree[1]:
        more = terms(part)
        if len(found) * len(more) > MOST_TERMS:
            raise TooManyTerms
        found = _without_covered([m for a in found for b in more if (m := _meet(a, b)) is not None])
        if len(found) > MOST_RULES:
            raise TooManyTerms
    return found


def _meet(a: Term, b: Term) -> Term | None:
    gates = dict(a[0])
    for name, value in b[0].items():
        if gates.setdefault(name, value) != value:
            return None
    verdicts = dict(a[1])
    for verdict, values in b[1].items():
        verdicts[verdict] = verdicts[verdict] & values if verdict in verdicts else values
        if not verdicts[verdict]:
            return None
    return gates, verdicts


def _without_covered(found: list[Term]) -> list[Term]:
    kept: list[Term] = []
    for term in found:
        if any(_covers(other, term) for other in kept):
            continue
        kept = [other for other in kept if not _covers(term, other)]
        kept.append(term)
    return kept


def _covers(wide: Term, narrow: Term) -> bool:
    return wide[0].items() <= narrow[0].items() and all(
        name in narrow[1] and narrow[1][name] <= values for name, values in wide[1].items()
    )


# ---------------------------------------------------------------------------------------------------------
# judging
# ---------------------------------------------------------------------------------------------------------


def judge(family: Family, situations: list[dict[str, object]], bench: Bench) -> list[Judgement]:
    """Judge situations of a family, by durable-rules and again by a fixpoint; they must agree.

    A situation maps each gate of its family to its value.
    """
    answers = _by_durable_rules(family, situations, bench) if situations else []
    for situation, answer in zip(situations, answers, strict=True):
        again = _by_fixpoint(family, situation)
        # where rules disagree, what follows from them depends on their order, and the run stops anyway
        if answer != again and not (answer.conflicts and again.conflicts):
            problems = Problems()
            problems.add("E103", f"{family}, situation {situation}", family.verdicts[0].at)
            raise Stop(problems)
    return answers


def _by_fixpoint(family: Family, situation: dict[str, object]) -> Judgement:
    concluded: dict[str, str] = {}
    conflicts: set[str] = set()
    fired: dict[int, tuple[tuple[str, str], ...]] = {}
    is_new = True
    while is_new:
        is_new = False
        for rule in family.rules:
            if rule.id in fired or any(situation[gate] != value for gate, value in rule.gates.items()):
                continue
            if all(concluded.get(name) in values for name, values in rule.verdicts.items()):
                fired[rule.id] = tuple(sorted((name, concluded[name]) for name in rule.verdicts))
                is_new = True
                if concluded.setdefault(rule.verdict, rule.value) != rule.value:
                    conflicts.add(rule.verdict)
    return Judgement(
        {v: value for v, value in concluded.items() if v not in conflicts},
        tuple(sorted(conflicts)),
        tuple(sorted(fired.items())),
    )


def _by_durable_rules(family: Family, situations: list[dict[str, object]], bench: Bench) -> list[Judgement]:
    """Ask the child; verdicts travel under plain ASCII names, as the engine hashes names."""
    code = {v.name: f"v{place}" for place, v in enumerate(family.verdicts)}
    back = {short: name for name, short in code.items()}
    words: dict[tuple[str, str], str] = {}
    plain: dict[tuple[str, str], str] = {}

    def short_word(verdict: str, value: str) -> str:
        if (verdict, value) not in words:
            words[verdict, value] = f"w{len(words)}"
            plain[code[verdict], words[verdict, value]] = value
        return words[verdict, value]

    rules = [
        {
            "id": rule.id,
            "verdict": code[rule.verdict],
            "value": short_word(rule.verdict, rule.value),
            "gates": rule.gates,
            "verdicts": {code[v]: [short_word(v, x) for x in values] for v, values in rule.verdicts.items()},
        }
        for rule in family.rules
    ]
    lines = bench.ask({"rules": rules, "situations": situations}, len(situations), family.verdicts[0].at)
    answers = []
    for line in lines:
        fired = tuple(
            (rule, tuple(sorted((back[v], plain[v, w]) for v, w in support))) for rule, support in line["fired"]
        )
        conflicts = tuple(sorted(back[v] for v in line["conflicts"]))
        concluded = {back[v]: plain[v, w] for v, w in line["concluded"].items() if back[v] not in conflicts}
        answers.append(Judgement(concluded, conflicts, fired))
    return answers


class Bench:
    """The child process in which durable-rules judges; started at once, as it takes a while to be ready."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "evaluator.engine.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
        )

    def close(self) -> None:
        """End the child."""
        self.child.kill()
        self.child.communicate()
        self.errors.close()

    def ask(self, document: dict[str, object], count: int, at: Span) -> list[Any]:
        """Return the child's answers; raise Stop where one is missing or takes too long."""
        assert self.child.stdin is not None and self.child.stdout is not None
        is_late = False

        def give_up() -> None:
            nonlocal is_late
            is_late = True
            self.child.kill()

        timer = threading.Timer(SECONDS_TO_JUDGE, give_up)
        timer.start()
        lines: list[Any] = []
        try:
            self.child.stdin.write(json.dumps(document) + "\n")
            self.child.stdin.flush()
            for line in self.child.stdout:
                answer = json.loads(line)
                if "done" in answer:
                    break
                lines.append(answer)
            if len(lines) == count and answer == {"done": count}:
                return lines
        except (OSError, ValueError, TypeError, UnboundLocalError):
            pass
        finally:
            timer.cancel()
        raise Stop(self._failure(len(lines), count, is_late, at))

    def _failure(self, answered: int, count: int, is_late: bool, at: Span) -> Problems:
        problems = Problems()
        self.child.kill()
        code = self.child.wait()
        self.errors.seek(0)
        said = self.errors.read().decode("utf-8", "replace")
        last = (said.strip().splitlines() or [f"it ended with {code}"])[-1]
        if is_late:
            problems.add("E102", f"durable-rules did not answer within {SECONDS_TO_JUDGE} s", at)
        elif "ImportError" in said or "ModuleNotFoundError" in said:
            problems.add("E101", f"durable-rules cannot be loaded: {last}")
        else:
            problems.add("E102", f"durable-rules answered {answered} of {count} situations: {last}", at)
        return problems
