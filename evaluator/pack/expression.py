"""Rule expressions: SQL scalar expressions, parsed by sqlglot, white-listed, resolved and typed.

`compile_expression` turns the text of a key into a tree of nodes in which every name is resolved and every node
has a type. Nothing else of the parser's tree survives, so no text of an author's ever reaches a query.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import ClassVar, Literal, Protocol

from sqlglot import exp, parse_one, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

from evaluator.diagnostics import closest
from evaluator.pack.model import DATE, NAME

# ---------------------------------------------------------------------------------------------------------
# types
# ---------------------------------------------------------------------------------------------------------

Base = Literal["text", "number", "integer", "boolean", "date", "ref", "nothing"]


@dataclass(frozen=True, slots=True)
class Type:
    """What a value is; `values` lists the only ones it may have, `is_ordered` says worst to best."""

    base: Base
    values: tuple[object, ...] = ()
    is_ordered: bool = False
    target: str = ""

    def __str__(self) -> str:
        if self.base == "ref":
            return f"a ref to {self.target}"
        if self.values and self.base == "text":
            return "one of " + ", ".join(map(str, self.values))
        return {"nothing": "null", "integer": "a whole number"}.get(self.base, f"a {self.base}")

    @property
    def is_number(self) -> bool:
        """Whether it can be calculated with."""
        return self.base in ("number", "integer")


TEXT, NUMBER, INTEGER, BOOLEAN, DATE_TYPE, NOTHING = (
    Type("text"),
    Type("number"),
    Type("integer"),
    Type("boolean"),
    Type("date"),
    Type("nothing"),
)

# ---------------------------------------------------------------------------------------------------------
# nodes
# ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Node:
    """Part of an expression: its type, whether it can be unknown, and its place in the text (start, length)."""

    type: Type
    nullable: bool
    place: tuple[int, int]

    def children(self) -> Iterator[Node]:
        """Give the parts directly below."""
        for field in fields(self):
            value = getattr(self, field.name)
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Node):
                    yield part

    def walk(self) -> Iterator[Node]:
        """Give this node and all below it, in reading order."""
        yield self
        for child in self.children():
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Const(Node):
    """A literal; numbers are fractions, dates are datetime.date."""

    value: object


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A resolved name: from the row at hand over `hops` to the value `leaf` of table or kind `owner`.

    The hop `#subject` leads from a record to the subject it is counted for, `#source` from an unfolded row to
    the row it was unfolded from; every other hop is a field that is a ref.
    """

    hops: tuple[str, ...]
    owner: str
    leaf: str


@dataclass(frozen=True, slots=True)
class Setting(Node):
    """A constant of the run: this_year, period_start, period_end."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """left op right over numbers; op is one of + - * /."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """left op right; op is one of = <> < <= > >=."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class OneOf(Node):
    """operand in (items)."""

    operand: Node
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """operand is null."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Not(Node):
    """not operand."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Junction(Node):
    """Parts joined by and, or by or."""

    op: Literal["and", "or"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """when … then … of a case; not a value by itself."""

    when: Node
    then: Node


@dataclass(frozen=True, slots=True)
class Case(Node):
    """case when … then … else … end; stops at a test that is unknown."""

    branches: tuple[Branch, ...]
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function of the language."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Lookup(Node):
    """A parameter called with arguments."""

    parameter: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Recall(Node):
    """years_running(condition): a value that also reads earlier years; the plan computes it as `column`."""

    function: str
    condition: Node
    column: str


# ---------------------------------------------------------------------------------------------------------
# scopes
# ---------------------------------------------------------------------------------------------------------


class Wrong(Exception):  # noqa: N818 - caught where the expression's key is known
    """The first thing wrong with an expression, at a place in its text."""

    def __init__(self, code: str, message: str, place: tuple[int, int], fix: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.place, self.fix = code, message, place, fix


@dataclass(frozen=True, slots=True)
class Found:
    """Where a name leads, and what is there."""

    hops: tuple[str, ...]
    owner: str
    leaf: str
    type: Type
    nullable: bool


@dataclass(frozen=True, slots=True)
class ParameterType:
    """What a parameter takes and gives; a constant takes nothing."""

    takes: tuple[Type, ...]
    gives: Type
    constant: object = None
    covered: tuple[tuple[object, ...] | None, ...] = ()


class Scope(Protocol):
    """Where an expression's names are looked up."""

    def find(self, parts: list[str]) -> Found:
        """Return where a dotted name leads; raise LookupError with (position of the part, its known names)."""

    def parameter(self, name: str) -> ParameterType | None:
        """Return a parameter of the pack."""

    @property
    def has_history(self) -> bool:
        """Whether functions over years may be called here."""


# ---------------------------------------------------------------------------------------------------------
# parsing
# ---------------------------------------------------------------------------------------------------------

WORDS = {
    "AND": TokenType.AND, "OR": TokenType.OR, "NOT": TokenType.NOT, "IN": TokenType.IN,
    "BETWEEN": TokenType.BETWEEN, "IS": TokenType.IS, "NULL": TokenType.NULL, "CASE": TokenType.CASE,
    "WHEN": TokenType.WHEN, "THEN": TokenType.THEN, "ELSE": TokenType.ELSE, "END": TokenType.END,
    "TRUE": TokenType.TRUE, "FALSE": TokenType.FALSE,
}  # fmt: skip
SETTINGS = {"this_year": INTEGER, "period_start": DATE_TYPE, "period_end": DATE_TYPE}


class _Language(Dialect):
    """SQL scalar expressions and nothing else: every other word of SQL is a plain name here."""

    class Tokenizer(tokens.Tokenizer):
        KEYWORDS = {**WORDS, ">=": TokenType.GTE, "<=": TokenType.LTE, "<>": TokenType.NEQ}
        COMMENTS: ClassVar[list[str | tuple[str, str]]] = []
        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ["`"]

    class Parser(parser.Parser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {}
        NO_PAREN_FUNCTIONS = {}
        NO_PAREN_FUNCTION_PARSERS = {
            word: parse for word, parse in parser.Parser.NO_PAREN_FUNCTION_PARSERS.items() if word == "CASE"
        }
        PRIMARY_PARSERS = {  # with positions, which sqlglot does not note for these three
            **parser.Parser.PRIMARY_PARSERS,
            TokenType.NULL: lambda self, token: self.expression(exp.Null(), token),
            TokenType.TRUE: lambda self, token: self.expression(exp.Boolean(this=True), token),
            TokenType.FALSE: lambda self, token: self.expression(exp.Boolean(this=False), token),
        }

        def _parse_between(self, this: exp.Expr | None) -> exp.Between:
            """Read low and high: sqlglot itself takes `symmetric`, and does not insist on the `and`."""
            low = self._parse_bitwise()
            if not self._match(TokenType.AND):
                self.raise_error("Required keyword: 'and' missing for between")
            return self.expression(exp.Between(this=this, low=low, high=self._parse_bitwise()))

        def _parse_case(self) -> exp.Expr | None:
            first = self._prev
            made = super()._parse_case()
            if made is not None:
                made.meta.update(start=first.start, end=self._prev.end)
            return made


_SIGNS = {
    "==": "=", "!=": "<>", "||": "a field that holds the whole text", "%": "a - b * floor(a / b)",
    "//": "floor(a / b)", "::": "a value of the right type",
    "--": "a # comment of YAML's", "/*": "a # comment of YAML's",
    "&&": "and", "“": "'", "”": "'", "‘": "'", "’": "'", "「": "'", "」": "'", "，": ",", "、": ",", "。": ".",
    "（": "(", "）": ")", "＝": "=", "＜": "<", "＞": ">", "≥": ">=", "≤": "<=", "≠": "<>", "＋": "+", "－": "-",
    "−": "-", "×": "*", "÷": "/", "＊": "*", "／": "/", "：": "a name", "；": "a single expression",
    "！": "not", "！＝": "<>", "　": "a plain space", "％": "a share such as 2/3", "=>": ">=", "=<": "<=",
}  # fmt: skip
_REFUSED = '"`;[]{}@$?^~!&|\\:'
_LONGEST_FIRST = sorted(_SIGNS, key=len, reverse=True)
_NOTHING_GIVEN = re.compile(r"[(,]\s*,|,\s*(\)|\Z)")
_BARE_POINT = re.compile(r"\.[0-9]+")
_DEEPEST = 60  # levels of nesting, beyond which neither Python nor a database reads it


def _refuse_signs(text: str) -> None:
    """Raise at the first sign outside quotes that SQL or YAML would misread."""
    place, is_quoted = 0, False
    while place < len(text):
        if text[place] == "'":
            is_quoted = not is_quoted
        elif not is_quoted:
            sign = next((s for s in _LONGEST_FIRST if text.startswith(s, place)), None)
            if sign:
                foreign = ord(sign[0]) > 127
                raise Wrong(
                    "P305" if foreign else "P302",
                    f"{sign} is not a sign of expressions" if sign.strip() else "a full-width space stands here",
                    (place, len(sign)),
                    f"write {_SIGNS[sign]}",
                )
            if text[place] == '"':
                raise Wrong("P302", "double quotes do not make text", (place, 1), "write single quotes: '…'")
            if text[place] in _REFUSED:
                raise Wrong("P302", f"{text[place]} is not a sign of expressions", (place, 1))
            if (start := _BARE_POINT.match(text, place)) and not re.match(r"[\w.]", text[place - 1 : place]):
                number, size = start[0], len(start[0])
                raise Wrong("P302", f"{number} is not a plain number", (place, size), f"write 0{number}")
            if gap := _NOTHING_GIVEN.match(text, place):
                raise Wrong("P301", "a value is missing beside this comma", (text.rindex(",", 0, gap.end()), 1))
        place += 1
    if is_quoted:
        raise Wrong("P301", "a quote is opened and never closed", (text.rindex("'"), 1), "close it: '…'")


def _parse(text: str) -> exp.Expr:
    _refuse_signs(text)
    try:
        return parse_one(text, dialect=_Language, into=exp.Condition)
    except ParseError as wrong:
        first = wrong.errors[0] if wrong.errors else {}
        highlight = str(first.get("highlight") or "")
        lines = text.splitlines(keepends=True)
        end = sum(map(len, lines[: int(first.get("line") or 1) - 1])) + int(first.get("col") or 1)
        start = max(0, min(end - len(highlight), len(text) - 1))
        raise Wrong(
            "P301",
            _plain_reason(str(first.get("description") or ""), highlight),
            (start, max(1, len(highlight))),
        ) from None
    except RecursionError:
        raise _too_deep(text) from None
    except (TokenError, ValueError, IndexError, AttributeError) as wrong:
        raise Wrong("P301", f"this cannot be read as an expression ({type(wrong).__name__})", (0, len(text))) from None


def _plain_reason(description: str, highlight: str) -> str:
    if highlight.lower() == "as":
        return "as gives a name, and an expression has none"
    if highlight.lower() in ("like", "ilike", "over", "from", "select"):
        return f"{highlight} is not part of expressions"
    if description.startswith("Required keyword"):
        return f'something is missing after "{highlight}"' if highlight else "something is missing at the end"
    if description.startswith("Expecting )"):
        return f'a parenthesis is not closed at "{highlight}"' if highlight else "a parenthesis is not closed"
    if description.startswith("Expected END"):
        return "a case needs then … and end: case when … then … else … end"
    return f'"{highlight}" is not expected here' if highlight else "the expression ends too early"


# ---------------------------------------------------------------------------------------------------------
# from sqlglot's tree to ours
# ---------------------------------------------------------------------------------------------------------

_COMPARE: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
_ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}


def compile_expression(text: str, scope: Scope, wanted: Base | None = None) -> Node:
    """Return the typed tree of an expression; raise Wrong at the first thing that is wrong.

    `wanted` is the type the key needs: boolean, number (a whole number will do), text, date.
    """
    if not text.strip():
        raise Wrong("P301", "the expression is empty", (0, 1))
    try:
        node = _Compiler(text, scope).compile(_parse(text))
    except RecursionError:
        raise _too_deep(text) from None
    if node.type.base == "nothing":
        raise Wrong("P306", "this is null whatever happens", node.place, "give it a value")
    if wanted and not _fits(node.type, wanted):
        raise Wrong("P306", f"this is {node.type}, where a {wanted} is needed", node.place)
    return node


def _too_deep(text: str) -> Wrong:
    return Wrong("P301", "this is nested too deeply", (0, len(text)), "compute parts of it as measures or fields")


def split_order(text: str) -> tuple[str, bool]:
    """Return the expression of an ordering and whether it descends.

    >>> split_order("total desc")
    ('total', True)
    """
    match = re.search(r"\s+(asc|desc)\s*\Z", text, re.IGNORECASE)
    return (text[: match.start()], match[1].lower() == "desc") if match else (text, False)


def _fits(have: Type, wanted: Base) -> bool:
    return have.base == wanted or have.base == "nothing" or (wanted == "number" and have.is_number)


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
                    raise _too_deep(self.text)
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
            at, known = missing.args
            if known is None:
                before = ".".join(names[:at])
                raise Wrong(
                    "P401", f'{before} is not a ref, so it has no "{names[at]}"', self.place(parts[at])
                ) from None
            near = closest(names[at], known)
            shown = sorted(known)
            listed = f"known here: {', '.join(shown[:12])}{' …' if len(shown) > 12 else ''}" if shown else None
            raise Wrong(
                "P401",
                f'there is no "{names[at]}"' + (f" in {'.'.join(names[:at])}" if at else "") + " here",
                self.place(parts[at]),
                f"write {near}" if near else listed,
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
        left, right = self._alike(left, right)
        if op not in ("=", "<>"):
            levels = next((side.type.values for side in (left, right) if side.type.is_ordered), ())
            for side in (left, right):
                is_disordered = bool(side.type.values) and not side.type.is_ordered and not side.type.is_number
                if side.type.base in ("boolean", "ref") or is_disordered:
                    raise Wrong("P306", f"{op} needs an order, and {side.type} has none", side.place, "use = or in")
                if levels and not (side.type.is_number or isinstance(side, Const) or side.type.values == levels):
                    raise Wrong("P306", f"{op} compares levels, and this is {side.type}", side.place, "use = or in")
        return Compare(BOOLEAN, left.nullable or right.nullable, place, op, left, right)

    def _alike(self, left: Node, right: Node) -> tuple[Node, Node]:
        """Return both sides with literal text turned into what the other side is, or refuse the pair."""
        left, right = self._as_typed(left, right.type), self._as_typed(right, left.type)
        a, b = left.type, right.type
        if "nothing" in (a.base, b.base):
            side = left if a.base == "nothing" else right
            raise Wrong("P306", "a comparison with null is always unknown", side.place, "write is null")
        if a.base != b.base and not (a.is_number and b.is_number) or a.target != b.target:
            raise Wrong("P306", f"{a} is compared with {b}", right.place)
        for known, literal in ((a, right), (b, left)):
            if known.values and isinstance(literal, Const) and literal.value not in known.values:
                words = [str(value) for value in known.values]
                near = closest(str(literal.value), words)
                raise Wrong(
                    "P307",
                    f"{self._shown(literal)} is not one of {', '.join(words)}",
                    literal.place,
                    f"write '{near}'" if near else None,
                )
        return left, right

    def _shown(self, literal: Const) -> str:
        start, length = literal.place
        return self.text[start : start + length]

    @staticmethod
    def _as_typed(node: Node, wanted: Type) -> Node:
        if isinstance(node, Const) and isinstance(node.value, str) and wanted.base == "date":
            try:
                if not DATE.match(node.value):
                    raise ValueError
                return Const(DATE_TYPE, False, node.place, dt.date.fromisoformat(node.value))
            except ValueError:
                raise Wrong("P306", f"'{node.value}' is not a date", node.place, "write it as '2021-01-31'") from None
        return node

    def _in(self, tree: exp.Expr) -> Node:
        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field"):
            raise Wrong("P302", "in needs a list of values in parentheses", self.place(tree), "write in ('甲', '乙')")
        operand = self.compile(tree.this)
        if not tree.expressions:
            raise Wrong("P301", "the list is empty", self.place(tree), "write in ('甲', '乙')")
        items = [self._alike(operand, self.compile(item))[1] for item in tree.expressions]
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
        kind = self._common([*branches, otherwise])
        nullable = any(b.nullable or b.when.nullable for b in branches) or otherwise.nullable
        return Case(kind, nullable, place, tuple(branches), otherwise)

    @staticmethod
    def _common(nodes: list[Node]) -> Type:
        """Return the one type all have; numbers mix, and null goes with any."""
        types = [node.type for node in nodes if node.type.base != "nothing"]
        if not types:
            return NOTHING
        if all(kind.is_number for kind in types):
            return INTEGER if all(kind.base == "integer" for kind in types) else NUMBER
        for node in nodes:
            if node.type.base != "nothing" and (node.type.base, node.type.target) != (
                types[0].base,
                types[0].target,
            ):
                raise Wrong("P306", f"this is {node.type}, where the others are {types[0]}", node.place)
        return types[0] if all(kind == types[0] for kind in types) else Type(types[0].base, target=types[0].target)

    def _call(self, tree: exp.Expr) -> Node:
        name = str(tree.this).lower() if str(tree.this).lower() in FUNCTIONS else str(tree.this)
        place = self.place(tree)
        at = (place[0], len(str(tree.this)))
        if not tree.expressions:
            place = (place[0], self.text.find(")", place[0]) + 1 - place[0])
        if name in ("years_running",):
            return self._recall(name, tree, place)
        parameter = self.scope.parameter(name)
        if parameter is not None:
            return self._lookup(name, parameter, tree, place)
        if name not in FUNCTIONS:
            near = closest(name, FUNCTIONS)
            raise Wrong("P303", f'there is no function "{name}"', at, f"write {near}" if near else None)
        arguments = [self.compile(argument) for argument in tree.expressions]
        return FUNCTIONS[name](self, name, arguments, place)

    def _recall(self, name: str, tree: exp.Expr, place: tuple[int, int]) -> Node:
        if not self.scope.has_history:
            raise Wrong("P302", f"{name} reads earlier results of a subject; a record has none", place)
        if len(tree.expressions) != 1:
            raise Wrong("P304", f"{name} takes one condition", place)
        condition = self._boolean(tree.expressions[0])
        for part in condition.walk():
            if isinstance(part, Name) and part.hops:
                raise Wrong(
                    "P302",
                    f"{name} looks back on this subject's own results, not on those of {part.hops[0]}",
                    part.place,
                    "make it a measure first, and look back on that",
                )
            if isinstance(part, Recall):
                raise Wrong("P302", f"{name} cannot stand inside {name}", part.place)
        start, length = self.place(tree.expressions[0])
        return Recall(INTEGER, False, place, name, condition, f"{name}({self.text[start : start + length]})")

    def _lookup(self, name: str, parameter: ParameterType, tree: exp.Expr, place: tuple[int, int]) -> Node:
        if not parameter.takes:
            raise Wrong("P304", f"{name} is a constant and takes no argument", place, f"write {name}")
        if len(tree.expressions) != len(parameter.takes):
            takes = f"{len(parameter.takes)} argument{'s' if len(parameter.takes) > 1 else ''}"
            raise Wrong("P304", f"{name} takes {takes}, and here are {len(tree.expressions)}", place)
        arguments = []
        for position, (argument, wanted) in enumerate(zip(tree.expressions, parameter.takes, strict=True)):
            node = self._as_typed(self.compile(argument), wanted)
            if node.type.base != wanted.base and not (node.type.is_number and wanted.is_number):
                raise Wrong("P306", f"{name} takes {wanted}, and this is {node.type}", node.place)
            covered = parameter.covered[position]
            values = (True, False) if node.type.base == "boolean" else node.type.values
            if isinstance(node, Const):
                values = (node.value,)
            missing = [value for value in values if covered is not None and value not in covered]
            if missing:
                raise Wrong("P408", f"{name} has no entry for {', '.join(map(str, missing))}", node.place)
            arguments.append(node)
        nullable = any(argument.nullable for argument in arguments)
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


# ---------------------------------------------------------------------------------------------------------
# functions
# ---------------------------------------------------------------------------------------------------------

_Function = Callable[[_Compiler, str, list[Node], tuple[int, int]], Node]


def _called(name: str, wanted: tuple[Base, ...], optional: int) -> str:
    """Write how a function is called.

    >>> _called("round", ("number", "number"), 1)
    'round(number[, number])'
    """
    needed, more = wanted[: len(wanted) - optional], wanted[len(wanted) - optional :]
    return f"{name}({', '.join(needed)}{''.join(f'[, {m}]' for m in more)})"


def _takes(*wanted: Base, gives: Type, optional: int = 0) -> _Function:
    """Make a function with a fixed list of argument types, the last `optional` of which may be left out."""

    def check(_: _Compiler, name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
        if not len(wanted) - optional <= len(arguments) <= len(wanted):
            raise Wrong("P304", f"{name} is called as {_called(name, wanted, optional)}", place)
        arguments = [_Compiler._as_typed(a, Type(w)) for a, w in zip(arguments, wanted, strict=False)]
        for argument, want in zip(arguments, wanted, strict=False):
            if not _fits(argument.type, want):
                raise Wrong("P306", f"{name} takes a {want} here, and this is {argument.type}", argument.place)
        kind = gives
        if name == "abs" and arguments[0].type.base == "integer":
            kind = INTEGER
        if name == "round":
            if len(arguments) == 2:
                digits = arguments[1]
                if not (isinstance(digits, Const) and digits.value in list(map(Fraction, range(7)))):
                    raise Wrong("P304", "round takes a number of places from 0 to 6", digits.place)
                kind = NUMBER
            else:
                kind = INTEGER
        return Call(kind, any(a.nullable for a in arguments), place, name, tuple(arguments))

    return check


def _numbers(least: int, most: int | None) -> _Function:
    """Make a function of several numbers that gives one of them."""

    def check(_: _Compiler, name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
        if len(arguments) < least or (most and len(arguments) > most):
            raise Wrong("P304", f"{name} takes {least}{'' if most else ' or more'} numbers", place)
        for argument in arguments:
            if not argument.type.is_number:
                raise Wrong("P306", f"{name} takes numbers, and this is {argument.type}", argument.place)
        whole = all(argument.type.base == "integer" for argument in arguments)
        return Call(INTEGER if whole else NUMBER, any(a.nullable for a in arguments), place, name, tuple(arguments))

    return check


def _coalesce(compiler: _Compiler, name: str, arguments: list[Node], place: tuple[int, int]) -> Node:
    if len(arguments) < 2:
        raise Wrong("P304", "coalesce takes two values or more", place)
    return Call(compiler._common(arguments), all(a.nullable for a in arguments), place, name, tuple(arguments))


FUNCTIONS: dict[str, _Function] = {
    "abs": _takes("number", gives=NUMBER),
    "round": _takes("number", "number", gives=NUMBER, optional=1),
    "floor": _takes("number", gives=INTEGER),
    "ceil": _takes("number", gives=INTEGER),
    "least": _numbers(2, None),
    "greatest": _numbers(2, None),
    "clamp": _numbers(3, 3),
    "coalesce": _coalesce,
    "contains": _takes("text", "text", gives=BOOLEAN),
    "length": _takes("text", gives=INTEGER),
    "year": _takes("date", gives=INTEGER),
    "quarter": _takes("date", gives=INTEGER),
    "month": _takes("date", gives=INTEGER),
    "day": _takes("date", gives=INTEGER),
    "weekday": _takes("date", gives=INTEGER),
    "days": _takes("date", "date", gives=INTEGER),
    "months": _takes("date", "date", gives=INTEGER),
}
RESERVED = {
    *FUNCTIONS, *SETTINGS, *(word.lower() for word in WORDS), "years_running", "total", "points", "rank", "position",
    "people", "is_expected", "is_filled", "is_assessed", "is_ranked", "all", "asc", "desc",
}  # fmt: skip
