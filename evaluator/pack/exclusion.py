"""Whether two conditions on one record can hold together, as far as their form tells."""

from __future__ import annotations

from evaluator.pack.nodes import Compare, Const, Junction, Name, Node, Not, OneOf

Path = tuple[tuple[str, ...], str]
"""The way to a name's value: over which refs, and what it is called there."""


def can_both_hold(one: Node | None, other: Node | None) -> bool:
    """Return False only where the two certainly exclude each other."""
    if one is None or other is None:
        return True
    for a, b in ((one, other), (other, one)):  # first what is joined by or, as each part may exclude the rest
        if isinstance(a, Junction) and a.op == "or":
            return any(can_both_hold(part, b) for part in a.parts)
    for a, b in ((one, other), (other, one)):
        if isinstance(a, Junction):
            return all(can_both_hold(part, b) for part in a.parts)
    return not _exclude(one, other)


def values_left(condition: Node | None) -> dict[Path, frozenset[object]]:
    """Return the only values a condition leaves to the names it compares with values."""
    if condition is None:
        return {}
    if isinstance(condition, Junction) and condition.op == "and":
        left: dict[Path, frozenset[object]] = {}
        for part in condition.parts:
            for path, values in values_left(part).items():
                left[path] = left[path] & values if path in left else values
        return left
    found = _values(condition)
    if found is None and isinstance(condition, Not) and isinstance(condition.operand, (OneOf, Compare)):
        operand = condition.operand
        name = operand.operand if isinstance(operand, OneOf) else operand.left
        refused = _values(operand)
        if refused is not None and name.type.values:
            found = (refused[0], frozenset(name.type.values) - refused[1])
    return {} if found is None else {found[0]: found[1]}


def _exclude(one: Node, other: Node) -> bool:
    for a, b in ((one, other), (other, one)):
        if isinstance(a, Not) and _same(a.operand, b):
            return True
        if isinstance(a, Not) and (b_values := _values(b)) and (a_values := _values(a.operand)):
            if b_values[0] == a_values[0] and b_values[1] <= a_values[1]:
                return True
    mine, theirs = _values(one), _values(other)
    if mine and theirs and mine[0] == theirs[0] and not mine[1] & theirs[1]:
        return True
    low, high = _bound(one), _bound(other)
    return bool(low and high and low[0] == high[0] and (_apart(low, high) or _apart(high, low)))


def _path(node: Node) -> Path | None:
    return (node.hops, node.leaf) if isinstance(node, Name) else None


def _same(one: Node, other: Node) -> bool:
    path = _path(one)
    if path is not None:
        return path == _path(other)
    return _values(one) is not None and _values(one) == _values(other)


def _values(node: Node) -> tuple[Path, frozenset[object]] | None:
    """Return a name and the only values the condition lets it have."""
    if isinstance(node, Name):
        path = _path(node)
        return (path, frozenset({True})) if path else None
    if isinstance(node, Not) and isinstance(node.operand, Name):
        path = _path(node.operand)
        return (path, frozenset({False})) if path else None
    if isinstance(node, Compare) and node.op in ("=", "<>") and isinstance(node.right, Const):
        path = _path(node.left)
        if path is None:
            return None
        if node.op == "=":
            return path, frozenset({node.right.value})
        known = frozenset(node.left.type.values)
        return (path, known - {node.right.value}) if known else None
    if isinstance(node, OneOf) and all(isinstance(item, Const) for item in node.items):
        path = _path(node.operand)
        return (path, frozenset(i.value for i in node.items if isinstance(i, Const))) if path else None
    return None


def _bound(node: Node) -> tuple[Path, str, object] | None:
    if isinstance(node, Compare) and isinstance(node.right, Const):
        path, value, kind = _path(node.left), node.right.value, node.left.type
        if path is not None:
            is_level = kind.is_ordered and value in kind.values
            return path, node.op, kind.values.index(value) if is_level else value
    return None


def _apart(low: tuple[Path, str, object], high: tuple[Path, str, object]) -> bool:
    """Return whether values under `high` all lie below those over `low`."""
    if low[1] not in (">", ">=", "=") or high[1] not in ("<", "<=", "="):
        return False
    over, under = low[2], high[2]
    if type(over) is not type(under):
        return False
    if over == under:
        return not (low[1] in (">=", "=") and high[1] in ("<=", "="))
    return bool(over > under)  # type: ignore[operator]
