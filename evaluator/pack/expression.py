"""Rule expressions: SQL scalar expressions, parsed by sqlglot, white-listed, resolved and typed.

`compile_expression` turns the text of a key into a tree of nodes in which every name is resolved and every node
has a type. Nothing else of the parser's tree survives, so no text of an author's ever reaches a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Literal

from sqlglot import exp

from evaluator.diagnostics import closest, known_here
from evaluator.pack.dialect import Wrong, parse, too_deep
from evaluator.pack.fitting import alike, as_typed, common, fits, need_order
from evaluator.pack.functions import FUNCTIONS, OVER_YEARS, SETTINGS
from evaluator.pack.nodes import (
    Arithmetic,
    Branch,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
    Recall,
    Setting,
)
from evaluator.pack.scalars import NAME
from evaluator.pack.types import BOOLEAN, INTEGER, NOTHING, NUMBER, TEXT, Base, ParameterType, Scope

_COMPARE: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
MOST_YEARS = 100
_DEEPEST = 60  # levels of nesting, beyond which neither Python nor a database reads it


def compile_expression(text: str, scope: Scope, wanted: Base | None = None) -> Node:
    """Return the typed tree of an expression; raise Wrong at the first thing that is wrong.

    `wanted` is the type the key needs: boolean, number (a whole number will do), text, date.
    """
    if not text.strip():
        raise Wrong("P301", "the expression is empty", (0, 1))
    try:
        node = _Compiler(text, scope).compile(parse(text))
    except RecursionError:
        raise too_deep(text) from None
    if node.type.base == "nothing":
        raise Wrong("P306", "this is null whatever happens", node.place, "give it a value")
    if wanted and not fits(node.type, wanted):
        raise Wrong("P306", f"this is {node.type}, where a {wanted} is needed", node.place)
    return node


def split_order(text: str) -> tuple[str, bool]:
    """Return the expression of an ordering and whether it descends.

    >>> split_order("total desc")
    ('total', True)
    """
    match = re.search(r"\s+(asc|desc)\s*\Z", text, re.IGNORECASE)
    return (text[: match.start()], match[1].lower() == "desc") if match else (text, False)


class _Compiler:
    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.depth = text, scope, 0

    def place(self, tree: exp.Expr) -> tuple[int, int]:
        """Return start and length of a tree from the positions its leaves carry, and the parentheses of these."""
        found = [
            (int(part.meta["start"]), int(part.meta["end"]))
            for part in tree.walk()
            if "start" in part.meta and "end" in part.meta
        ]
        if not found:
            return 0, len(self.text)
        start, end = min(f[0] for f in found), max(f[1] for f in found) + 1
        depth = lowest = 0
        for sign in re.sub(r"'[^']*'", "", self.text[start:end]):
            depth += {"(": 1, ")": -1}.get(sign, 0)
            lowest = min(lowest, depth)
        for _ in range(-lowest):
            start = max(0, self.text.rfind("(", 0, start))
        for _ in range(depth - lowest):
            end = self.text.find(")", end) + 1 or len(self.text)
        return start, end - start

    def compile(self, tree: exp.Expr) -> Node:
        """Return our node for a tree of sqlglot's, or refuse it."""
        for kinds, make in self._MAKERS:
            if isinstance(tree, kinds):
                self.depth += 1
                if self.depth > _DEEPEST:
                    raise too_deep(self.text)
                made = make(self, tree)
                self.depth -= 1
                return made
        raise Wrong("P302", f"{type(tree).__name__.lower()} is not part of expressions", self.place(tree))

    # --- leaves ---

    def _paren(self, tree: exp.Expr) -> Node:
        return self.compile(tree.this)

    def _literal(self, tree: exp.Expr) -> Node:
        assert isinstance(tree, exp.Literal)
        place = self.place(tree)
        if tree.is_string:
            return Const(TEXT, False, place, str(tree.this))
        written = str(tree.this)
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", written):
            raise Wrong(
                "P302",
                f"{written[:40]} is not a plain number",
                place,
                "write digits, and a point where needed",
            )
        if any(len(digits) > 18 for digits in written.split(".")):
            raise Wrong(
                "P302",
                "this number is too long to be exact",
                place,
                "write at most 18 digits on a side of the point",
            )
        return Const(NUMBER if "." in written else INTEGER, False, place, Fraction(written))

    def _truth(self, tree: exp.Expr) -> Node:
        return Const(BOOLEAN, False, self.place(tree), bool(tree.this))

    def _null(self, tree: exp.Expr) -> Node:
        return Const(NOTHING, True, self.place(tree), None)

    def _name(self, tree: exp.Expr) -> Node:
        place = self.place(tree)
        parts = [part for part in tree.walk() if not isinstance(part, (exp.Column, exp.Dot))]
        parts.sort(key=lambda part: self.place(part)[0])
        names = [str(part.this) for part in parts]
        for part, name in zip(parts, names, strict=True):
            if not isinstance(part, exp.Identifier) or not NAME.match(name):
                start, length = self.place(part)
                raise Wrong("P301", f'"{self.text[start : start + length]}" is not a name', (start, length))
        if len(names) == 1:
            if names[0] in SETTINGS:
                return Setting(SETTINGS[names[0]], False, place, names[0])
            parameter = self.scope.parameter(names[0])
            if parameter:
                if parameter.takes:
                    raise Wrong("P304", f"{names[0]} is called with an argument", place, f"write {names[0]}(…)")
                return Const(parameter.gives, False, place, parameter.constant)
        try:
            found = self.scope.find(names)
        except LookupError as missing:
            at, known, *parameters = missing.args
            if known is None:
                before = ".".join(names[:at])
                raise Wrong(
                    "P401", f'{before} is not a ref, so it has no "{names[at]}"', self.place(parts[at])
                ) from None
            near = closest(names[at], [*known, *parameters])
            if at == 0 and names[0] == "measures":  # as cases name them, and no expression
                near = closest(names[1], known) if len(names) > 1 else None
            raise Wrong(
                "P401",
                f'there is no "{names[at]}"' + (f" in {'.'.join(names[:at])}" if at else "") + " here",
                self.place(parts[at]),
                f"write {near}" if near else known_here(known),
            ) from None
        return Name(found.type, found.nullable, place, found.hops, found.owner, found.leaf)

    # --- operators ---

    def _arithmetic(self, tree: exp.Expr) -> Node:
        left, right = self.compile(tree.this), self.compile(tree.expression)
        op = _ARITHMETIC[type(tree)]
        for side in (left, right):
            if not (side.type.is_number or side.type.base == "nothing"):
                advice = "use days(a, b)" if side.type.base == "date" else None
                raise Wrong("P306", f"{op} needs numbers, and this is {side.type}", side.place, advice)
        whole = op != "/" and left.type.base == "integer" and right.type.base == "integer"
        can_fail = op == "/" and not (isinstance(right, Const) and right.value)
        nullable = left.nullable or right.nullable or can_fail
        return Arithmetic(INTEGER if whole else NUMBER, nullable, self.place(tree), op, left, right)

    def _minus(self, tree: exp.Expr) -> Node:
        operand = self.compile(tree.this)
        if not operand.type.is_number:
            raise Wrong("P306", f"- needs a number, and this is {operand.type}", operand.place)
        start, length = operand.place
        place = (
            max(0, self.text.rfind("-", 0, start)),
            length + start - max(0, self.text.rfind("-", 0, start)),
        )
        if isinstance(operand, Const) and isinstance(operand.value, Fraction):
            return Const(operand.type, False, place, -operand.value)
        zero = Const(INTEGER, False, place, Fraction(0))
        base = INTEGER if operand.type.base == "integer" else NUMBER
        return Arithmetic(base, operand.nullable, place, "-", zero, operand)

    def _compare(self, tree: exp.Expr) -> Node:
        op = _COMPARE[type(tree)]
        return self._compared(op, self.compile(tree.this), self.compile(tree.expression), self.place(tree))

    def _compared(self, op: str, left: Node, right: Node, place: tuple[int, int]) -> Node:
        left, right = alike(left, right, self.text)
        if op not in ("=", "<>"):
            need_order(op, left, right)
        return Compare(BOOLEAN, left.nullable or right.nullable, place, op, left, right)

    def _in(self, tree: exp.Expr) -> Node:
        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field"):
            raise Wrong("P302", "in needs a list of values in parentheses", self.place(tree), "write in ('甲', '乙')")
        operand = self.compile(tree.this)
        if not tree.expressions:
            raise Wrong("P301", "the list is empty", self.place(tree), "write in ('甲', '乙')")
        items = [alike(operand, self.compile(item), self.text)[1] for item in tree.expressions]
        nullable = operand.nullable or any(item.nullable for item in items)
        return OneOf(BOOLEAN, nullable, self.place(tree), operand, tuple(items))

    def _between(self, tree: exp.Expr) -> Node:
        parts = []
        for op, bound in ((">=", tree.args["low"]), ("<=", tree.args["high"])):
            parts.append(self._compared(op, self.compile(tree.this), self.compile(bound), self.place(tree)))
        return Junction(BOOLEAN, any(p.nullable for p in parts), self.place(tree), "and", tuple(parts))

    def _is(self, tree: exp.Expr) -> Node:
        if not isinstance(tree.expression, exp.Null):
            raise Wrong("P302", "is goes with null only", self.place(tree), "write = , or the condition itself")
        return IsNull(BOOLEAN, False, self.place(tree), self.compile(tree.this))

    def _boolean(self, tree: exp.Expr) -> Node:
        node = self.compile(tree)
        if node.type.base != "boolean":
            raise Wrong("P306", f"a condition is needed here, and this is {node.type}", node.place)
        return node

    def _not(self, tree: exp.Expr) -> Node:
        operand = self._boolean(tree.this)
        start, length = operand.place
        if before := re.search(r"not[\s(]*\Z", self.text[:start], re.IGNORECASE):
            start, length = before.start(), length + start - before.start()
        return Not(BOOLEAN, operand.nullable, (start, length), operand)

    def _junction(self, tree: exp.Expr) -> Node:
        parts = tuple(self._boolean(part) for part in tree.flatten(unnest=False))
        op: Literal["and", "or"] = "and" if isinstance(tree, exp.And) else "or"
        return Junction(BOOLEAN, any(part.nullable for part in parts), self.place(tree), op, parts)

    def _case(self, tree: exp.Expr) -> Node:
        if tree.this is not None:
            raise Wrong(
                "P302",
                "case needs a condition after each when",
                self.place(tree.this),
                "write case when x = … then …",
            )
        default = tree.args.get("default")
        branches = []
        for branch in tree.args["ifs"]:
            when, then = self._boolean(branch.this), self.compile(branch.args["true"])
            branches.append(Branch(then.type, then.nullable, self.place(branch), when, then))
        place = self.place(tree)
        otherwise = self.compile(default) if default is not None else Const(NOTHING, True, place, None)
        kind = common([*branches, otherwise])
        nullable = any(b.nullable or b.when.nullable for b in branches) or otherwise.nullable
        return Case(kind, nullable, place, tuple(branches), otherwise)

    def _call(self, tree: exp.Expr) -> Node:
        lower = str(tree.this).lower()
        name = lower if lower in FUNCTIONS or lower in OVER_YEARS else str(tree.this)
        place = self.place(tree)
        at = (place[0], len(str(tree.this)))
        if not tree.expressions:
            place = (place[0], self.text.find(")", place[0]) + 1 - place[0])
        if name in OVER_YEARS:
            return self._recall(name, tree, place)
        parameter = self.scope.parameter(name)
        if parameter is not None:
            return self._lookup(name, parameter, tree, place)
        if name not in FUNCTIONS:
            near = closest(name, [*FUNCTIONS, *OVER_YEARS])
            raise Wrong("P303", f'there is no function "{name}"', at, f"write {near}" if near else None)
        arguments = [self.compile(argument) for argument in tree.expressions]
        return FUNCTIONS[name](name, arguments, place)

    def _recall(self, name: str, tree: exp.Expr, place: tuple[int, int]) -> Node:
        if not self.scope.has_history:
            fix = "make it a measure of the subject, and read that"
            raise Wrong("P302", f"{name} reads earlier results of a subject; a record has none", place, fix)
        takes_years = name in ("years", "sum_years")
        if len(tree.expressions) != (2 if takes_years else 1):
            raise Wrong("P304", f"{name} takes {OVER_YEARS[name]}", place)
        first = tree.expressions[0]
        operand = self._boolean(first) if name in ("years", "years_running") else self.compile(first)
        if name == "sum_years" and not operand.type.is_number:
            raise Wrong("P306", f"{name} adds up numbers, and this is {operand.type}", operand.place)
        if operand.type.base == "nothing":
            raise Wrong("P306", "this is null in every year", operand.place, "give it a value")
        self._check_recalled(name, operand)
        years = self._years(name, tree.expressions[1]) if takes_years else None
        start, length = self.place(first)
        kind = operand.type if name in ("last", "sum_years") else INTEGER
        can_lack = name in ("last", "sum_years")  # an earlier run may not have had the value
        return Recall(kind, can_lack, place, name, operand, self.text[start : start + length], years)

    def _check_recalled(self, name: str, operand: Node) -> None:
        """Refuse what no earlier result of the subject's own holds."""
        for part in operand.walk():
            if isinstance(part, Name) and part.hops:
                raise Wrong(
                    "P302",
                    f"{name} looks back on this subject's own results, not on those of {part.hops[0]}",
                    part.place,
                    "make it a measure first, and look back on that",
                )
            if isinstance(part, Name) and part.type.base == "ref":
                raise Wrong(
                    "P302",
                    f"{part.leaf} leads to a row of this year, and {name} looks back",
                    part.place,
                    f"look back on a field with value: {part.leaf}.…",
                )
            if isinstance(part, Recall):
                raise Wrong(
                    "P302",
                    f"{part.function} cannot stand inside {name}",
                    part.place,
                    "make it a measure, and look back on that",
                )

    def _years(self, name: str, tree: exp.Expr) -> int | Literal["term"]:
        """Return over how many years a function goes."""
        if isinstance(tree, exp.Column) and tree.name == "term" and not tree.table:
            return "term"
        node = self.compile(tree)
        value = node.value if isinstance(node, Const) else None
        if not isinstance(value, Fraction) or value.denominator != 1 or not 1 <= value <= MOST_YEARS:
            message = f"{name} takes a number of years from 1 to {MOST_YEARS}, or term"
            raise Wrong("P304", message, node.place, "write the number, or a parameter that is one")
        return int(value)

    def _lookup(self, name: str, parameter: ParameterType, tree: exp.Expr, place: tuple[int, int]) -> Node:
        if not parameter.takes:
            raise Wrong("P304", f"{name} is a constant and takes no argument", place, f"write {name}")
        if len(tree.expressions) != len(parameter.takes):
            takes = f"{len(parameter.takes)} argument{'s' if len(parameter.takes) > 1 else ''}"
            raise Wrong("P304", f"{name} takes {takes}, and here are {len(tree.expressions)}", place)
        arguments = []
        for position, (argument, wanted) in enumerate(zip(tree.expressions, parameter.takes, strict=True)):
            node = as_typed(self.compile(argument), wanted)
            is_alike = (node.type.base, node.type.target) == (wanted.base, wanted.target)
            if not is_alike and not (node.type.is_number and wanted.is_number):
                raise Wrong("P306", f"{name} takes {wanted}, and this is {node.type}", node.place)
            if isinstance(node, Const) and wanted.values and node.value not in wanted.values:
                raise Wrong("P307", f"{node.value} is not {wanted}", node.place)
            covered = parameter.covered[position]
            values = (True, False) if node.type.base == "boolean" else node.type.values
            if isinstance(node, Const):
                values = (node.value,)
            if isinstance(node, Name) and (left := self.scope.values_left(node.hops, node.leaf)) is not None:
                values = tuple(value for value in values if value in left)
            missing = [value for value in values if covered is not None and value not in covered]
            if missing:
                raise Wrong("P408", f"{name} has no entry for {', '.join(map(str, missing))}", node.place)
            arguments.append(node)
        nullable = parameter.nullable or any(argument.nullable for argument in arguments)
        return Lookup(parameter.gives, nullable, place, name, tuple(arguments))

    _MAKERS: list[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Callable[[_Compiler, exp.Expr], Node]]] = [
        (exp.Paren, _paren),
        (exp.Literal, _literal),
        (exp.Boolean, _truth),
        (exp.Null, _null),
        ((exp.Column, exp.Dot), _name),
        (tuple(_ARITHMETIC), _arithmetic),
        (exp.Neg, _minus),
        (tuple(_COMPARE), _compare),
        (exp.In, _in),
        (exp.Between, _between),
        (exp.Is, _is),
        (exp.Not, _not),
        ((exp.And, exp.Or), _junction),
        (exp.Case, _case),
        (exp.Anonymous, _call),
    ]
