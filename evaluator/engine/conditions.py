"""Conditions over gates and verdicts as trees without negation, and their alternatives."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from evaluator.pack.nodes import Compare, Const, IsNull, Node, OneOf

UNSETTLED = "unsettled"
MOST_RULES = 2000
MOST_TERMS = 10_000  # alternatives compared at a time; more would take minutes to compile

# a condition over gates and verdicts, without negation:
#   ("gate", name, value) · ("verdict", name, values) · ("and", parts) · ("or", parts)
Tree = tuple[Any, ...]
TRUE: Tree = ("and", ())
FALSE: Tree = ("or", ())
# one conjunction: gate -> value, verdict -> values
Term = tuple[dict[str, object], dict[str, frozenset[str]]]


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


def settled(node: Node) -> bool | str | None:
    """Return the truth of a comparison of constants, None where it is unknown; UNSETTLED where it is not one."""
    if isinstance(node, Compare) and isinstance(node.left, Const) and isinstance(node.right, Const):
        a, b = node.left.value, node.right.value
        if a is None or b is None:
            return None
        if node.op in ("=", "<>"):
            return (a == b) == (node.op == "=")
        levels = node.left.type.values if node.left.type.is_ordered else node.right.type.values
        if levels and not isinstance(a, Fraction):
            a, b = levels.index(a), levels.index(b)
        return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[node.op])  # type: ignore[operator]
    if isinstance(node, OneOf) and isinstance(node.operand, Const):
        if not all(isinstance(item, Const) for item in node.items):
            return UNSETTLED
        if node.operand.value is None:
            return None
        return node.operand.value in [item.value for item in node.items if isinstance(item, Const)]
    if isinstance(node, IsNull) and isinstance(node.operand, Const):
        return node.operand.value is None
    return UNSETTLED


def signature(node: Node) -> str:
    """Return a text that is the same for conditions that say the same, wherever they stand."""
    parts = []
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        if name in ("place", "nullable", "type"):
            continue
        if isinstance(value, Node):
            parts.append(signature(value))
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            parts.append("[" + ",".join(signature(v) for v in value) + "]")
        else:
            parts.append(repr(value))
    return f"{type(node).__name__}({','.join(parts)})"
