"""Rules of verdicts: levels nothing gives, rules that never decide, rules that contradict each other."""

from __future__ import annotations

from itertools import combinations

from evaluator.diagnostics import Problems, Span
from evaluator.pack.definitions import RuleDef, VerdictDef
from evaluator.pack.in_force import is_ever_in_force
from evaluator.pack.nodes import Case, Node
from evaluator.pack.source import Text
from evaluator.workbench.checking.boxes import only_names
from evaluator.workbench.checking.intervals import Values
from evaluator.workbench.checking.sites import Looked
from evaluator.workbench.checking.telling import box_told


def check_rules(looked: Looked, problems: Problems) -> None:
    """Note what is wrong with the rules of verdicts, and with the branches of a case."""
    for kind in looked.pack.kinds.values():
        for verdict in kind.verdicts.values():
            _levels(looked, verdict, problems)
            if verdict.model.pick == "one":
                _contradictions(looked, verdict, problems)
            else:
                _idle_rules(looked, verdict, problems)
    for site in looked.sites:
        for node in site.formula.node.walk():
            if isinstance(node, Case):
                before: list[tuple[Node, bool]] = []
                for branch in node.branches:
                    if before and _is_idle(looked, branch.when, before):
                        message = "the branches before this one leave nothing to it"
                        problems.add("P508", message, site.formula.span(branch.when.place))
                    before.append((branch.when, False))


def _levels(looked: Looked, verdict: VerdictDef, problems: Problems) -> None:
    """Note levels that no rule gives, or no formula, and nobody can decide on."""
    model = verdict.model
    left_over: set[object] = set()
    if not model.levels or model.override_by is not None:
        return
    if verdict.form == "rules":
        given: set[object] = {rule.value for rule in verdict.rules}
        left_over = {rule.value for rule in verdict.rules if rule.when is None and not _leaves_some(looked, verdict)}
        given -= left_over - {rule.value for rule in verdict.rules if rule.when is not None}
        rest = [level for level in verdict.type.values if level not in given]
    elif verdict.value is not None:
        node = verdict.value.node
        possible = looked.ranges.of(node)
        if node.type.base == "text":
            if possible.points is None:
                return
            given = {looked.ranges.value_at(place, node.type) for place in possible.points}
            rest = [level for level in verdict.type.values if level not in given]
        else:
            places = {level: looked.ranges.place(level, node.type) for level in verdict.type.values}
            rest = [v for v, at in places.items() if at is not None and Values.of([at]).meet(possible).is_empty]
    else:
        return
    written = {str(level): level.at for level in model.levels if isinstance(level, Text)}
    for level in rest:
        message = f'no rule gives the level "{level}"'
        if verdict.form != "rules":
            message = f'the value is never the level "{level}"'
        elif level in left_over:
            message = f'the rules before it leave nothing to the level "{level}"'
        problems.add("P507", message, written.get(str(level), verdict.at))


def _leaves_some(looked: Looked, verdict: VerdictDef) -> bool:
    """Whether anything is left to otherwise, as far as can be told."""
    return looked.boxes.can_hold(*(
        (rule.when.node, False) for rule in verdict.rules if rule.when is not None and rule.model.in_force is None
    ))  # fmt: skip


def _is_idle(looked: Looked, condition: Node, before: list[tuple[Node, bool]]) -> bool:
    """Whether a condition can hold by itself, and never where those before it fail."""
    return looked.boxes.can_hold((condition, True)) and not looked.boxes.can_hold(*before, (condition, True))


def _idle_rules(looked: Looked, verdict: VerdictDef, problems: Problems) -> None:
    """Note rules that never decide, as others do wherever they hold: earlier ones, or ones with a better level."""
    levels = verdict.type.values
    for rule in verdict.rules:
        if rule.when is None:
            continue
        ahead = [other for other in verdict.rules
                 if other.when is not None and other is not rule and other.model.in_force is None
                 and (levels.index(other.value) > levels.index(rule.value) if verdict.model.pick == "highest"
                      else other.number < rule.number)]  # fmt: skip
        before = [(other.when.node, False) for other in ahead if other.when is not None]
        if before and _is_idle(looked, rule.when.node, before):
            who = "rules with a better level" if verdict.model.pick == "highest" else "the rules before it"
            message = f'this rule of "{verdict.name}" never decides: {who} hold wherever it does'
            problems.add("P508", message, _place(rule))


def _place(rule: RuleDef) -> Span:
    assert rule.when is not None
    return rule.when.span(rule.when.node.place)


def _contradictions(looked: Looked, verdict: VerdictDef, problems: Problems) -> None:
    """Note rules that must agree and do not, where what they look at can be such that both hold."""
    rules = [rule for rule in verdict.rules if rule.when is not None]
    for one, other in combinations(rules, 2):
        assert one.when is not None and other.when is not None
        if one.value == other.value or not _in_one_year(looked, one, other):
            continue
        boxes = looked.boxes.of((one.when.node, True), (other.when.node, True))
        if boxes and only_names(boxes):
            where = box_told(looked.ranges, min(boxes, key=len)) or "anything at all"
            message = f'two rules of "{verdict.name}" hold where {where}, and give {one.value} and {other.value}'
            also = [(_place(one), "the other rule")]
            problems.add("P506", message, _place(other), "make the rules exclude each other", also)


def _in_one_year(looked: Looked, *rules: RuleDef) -> bool:
    spans = [rule.model.in_force for rule in rules if rule.model.in_force is not None]
    return is_ever_in_force(spans, looked.pack.period)
