"""From the typed tree of an expression to what a solver reasons with, exactly.

The counterpart of `sql.lower`: a number is a fraction of two whole numbers and is rounded, half away from zero, only
where it is stored; a condition is met, fails or is unknown; anything else is one of finitely many values. What names
stand for is asked of whoever translates, so that they may be values of one subject, or of any there could be. What
cannot be put to the solver raises `Untranslatable`; nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TypeVar

from evaluator.pack.definitions import Formula, Pack
from evaluator.pack.model import Match
from evaluator.pack.nodes import (
    Arithmetic,
    Call,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Node,
    Not,
    OneOf,
)
from evaluator.pack.scalars import exact, literal
from evaluator.pack.types import BOOLEAN, Type
from evaluator.solve.program import FALSE, TRUE, Lit, Program, Untranslatable, Whole, constant
from evaluator.sql.ratio import UNIT

ONE = constant(1)
MOST_CALLS = 100


@dataclass(frozen=True, slots=True)
class Number:
    """num / den where `known` holds, else unknown; den is positive whatever is chosen."""

    num: Whole
    den: Whole
    known: Lit

    def __str__(self) -> str:
        bounds = [Fraction(n, d) for n in (self.num.low, self.num.high) for d in (self.den.low, self.den.high)]
        shown = f"{_plain(min(bounds))} … {_plain(max(bounds))}" if min(bounds) < max(bounds) else _plain(bounds[0])
        return shown + ("" if self.known == TRUE else ", or unknown")


@dataclass(frozen=True, slots=True)
class Truth:
    """A condition: met, failing, or unknown where it is neither."""

    yes: Lit
    no: Lit

    def __str__(self) -> str:
        parts = [("true", self.yes != FALSE), ("false", self.no != FALSE), ("unknown", self.yes != -self.no)]
        return ", ".join(said for said, can_be in parts if can_be)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values, unknown where none of the conditions holds; never do two of them."""

    options: tuple[tuple[object, Lit], ...]

    def __str__(self) -> str:
        return ", ".join(str(value) for value, lit in self.options if lit != FALSE) or "unknown"


Value = Number | Truth | Choice
V = TypeVar("V", Number, Truth, Choice)
Reader = Callable[[Node], Value | None]


def _plain(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def half_away(value: Fraction) -> int:
    """Return a number rounded to a whole one, half away from zero.

    >>> [half_away(Fraction(n, 2)) for n in (-3, -1, 1, 3)]
    [-2, -1, 1, 2]
    """
    whole = int(abs(value) + Fraction(1, 2))
    return -whole if value < 0 else whole


def known_value(value: object) -> Value:
    """Return a value that is known: a fraction or whole number, a truth value, a text or a date."""
    if isinstance(value, bool):
        return Truth(TRUE, FALSE) if value else Truth(FALSE, TRUE)
    if isinstance(value, (Fraction, int)):
        return Number(constant(value.numerator), constant(value.denominator), TRUE)
    return Choice(((value, TRUE),))


def unknown_value(kind: Type) -> Value:
    """Return a value of a type that is unknown."""
    if kind.is_number:
        return Number(constant(0), ONE, FALSE)
    return Truth(FALSE, FALSE) if kind.base == "boolean" else Choice(())


class Translation:
    """Put expressions to a program.

    `read` gives the value of a part, or None where its own parts are to be read. It is asked for functions of dates
    and text with every combination of arguments there may be, and ought to have the database compute them.
    """

    def __init__(self, program: Program, pack: Pack, read: Reader) -> None:
        self.program, self.pack, self.read = program, pack, read

    # --- what it comes to, by type ---

    def value(self, node: Node) -> Value:
        """Return the value of an expression."""
        if node.type.is_number:
            return self.number(node)
        return self.truth(node) if node.type.base == "boolean" else self.choice(node)

    def stored(self, formula: Formula | Node, kind: Type | None = None) -> Value:
        """Return a value as it is stored: numbers rounded to millionths."""
        node = formula.node if isinstance(formula, Formula) else formula
        made = self.value(node)
        return self.millionths(made) if isinstance(made, Number) and (kind or node.type).base == "number" else made

    def millionths(self, number: Number) -> Number:
        """Return a number rounded to six places."""
        return self._number(self._rounded(number, UNIT), constant(UNIT), number.known)

    def condition(self, formula: Formula | None) -> Lit:
        """Return whether a condition is met; one that is unknown is not, one that is not written is."""
        return TRUE if formula is None else self.truth(formula.node).yes

    def number(self, node: Node) -> Number:
        """Return the value of an expression that is a number."""
        found = self.read(node)
        if isinstance(found, Number):
            return found
        if isinstance(found, Choice):
            return self.as_number(found)
        match node:
            case Const(value=None):
                return Number(constant(0), ONE, FALSE)
            case Const(value=Fraction() as value):
                return Number(constant(value.numerator), constant(value.denominator), TRUE)
            case Arithmetic():
                return self._arithmetic(node)
            case Case():
                return self._picked(self._branches(node, self.number))
            case Call():
                return self._call(node)
            case Lookup():
                return self._picked(self._looked_up(node, self.number))
        raise Untranslatable(f"what a {_said(node)} comes to is not known")

    def truth(self, node: Node) -> Truth:
        """Return the value of a condition."""
        found = self.read(node)
        if isinstance(found, Truth):
            return found
        made = self.program
        match node:
            case Const(value=None):
                return Truth(FALSE, FALSE)
            case Const(value=bool() as value):
                return Truth(TRUE, FALSE) if value else Truth(FALSE, TRUE)
            case Compare():
                return self._compare(node.op, node.left, node.right)
            case OneOf():
                parts = [self._compare("=", node.operand, item) for item in node.items]
                return self._any(parts)
            case IsNull():
                known = self.is_known(self.value(node.operand))
                return Truth(-known, known)
            case Not():
                inner = self.truth(node.operand)
                return Truth(inner.no, inner.yes)
            case Junction(op="or"):
                return self._any([self.truth(part) for part in node.parts])
            case Junction():
                parts = [self.truth(part) for part in node.parts]
                return Truth(made.both(*(p.yes for p in parts)), made.either(*(p.no for p in parts)))
            case Case():
                return self._picked_truth(self._branches(node, self.truth))
            case Call(function="coalesce"):
                return self._picked_truth(self._first_known(node, self.truth))
            case Call():
                return self._picked_truth([(lit, self.truth(call)) for lit, call in self._calls(node)])
            case Lookup():
                return self._picked_truth(self._looked_up(node, self.truth))
        raise Untranslatable(f"whether a {_said(node)} holds is not known")

    def choice(self, node: Node) -> Choice:
        """Return the value of an expression that is neither number nor condition."""
        found = self.read(node)
        if isinstance(found, Choice):
            return found
        match node:
            case Const(value=value):
                return Choice(()) if value is None else Choice(((value, TRUE),))
            case Case():
                return self._picked_choice(self._branches(node, self.choice))
            case Call(function="coalesce"):
                return self._picked_choice(self._first_known(node, self.choice))
            case Lookup():
                return self._picked_choice(self._looked_up(node, self.choice))
        raise Untranslatable(f"what a {_said(node)} comes to is not known")

    def is_known(self, value: Value) -> Lit:
        """Return whether a value is known."""
        if isinstance(value, Number):
            return value.known
        if isinstance(value, Truth):
            return self.program.either(value.yes, value.no)
        return self.program.either(*(lit for _, lit in value.options))

    def as_number(self, choice: Choice) -> Number:
        """Return a choice among numbers as a number."""
        options = [(lit, Fraction(str(value))) for value, lit in choice.options]
        den = lcm(*(value.denominator for _, value in options))
        num = self.program.one_of((lit, int(value * den)) for lit, value in options)
        return self._number(num, constant(den), self.is_known(choice))

    def is_value(self, value: Value, wanted: object) -> Lit:
        """Return whether a value is this one."""
        if isinstance(value, Truth):
            return value.yes if wanted is True else value.no
        if isinstance(value, Choice):
            return self.program.either(*(lit for option, lit in value.options if option == wanted))
        return self._order("=", value, self._constant(Fraction(str(wanted)))).yes

    # --- conditions ---

    def _any(self, parts: Sequence[Truth]) -> Truth:
        made = self.program
        return Truth(made.either(*(p.yes for p in parts)), made.both(*(p.no for p in parts)))

    def _compare(self, op: str, left: Node, right: Node) -> Truth:
        if left.type.is_number or right.type.is_number:
            return self._order(op, self.number(left), self.number(right))
        made = self.program
        if left.type.base == "boolean" or right.type.base == "boolean":
            one, other = self.truth(left), self.truth(right)
            same = made.either(made.both(one.yes, other.yes), made.both(one.no, other.no))
            differ = made.either(made.both(one.yes, other.no), made.both(one.no, other.yes))
            return Truth(same, differ) if op == "=" else Truth(differ, same)
        a, b = self.choice(left), self.choice(right)
        if op in ("=", "<>"):
            same = made.either(*(made.both(x, y) for v, x in a.options for w, y in b.options if v == w))
            known = made.both(self.is_known(a), self.is_known(b))
            differ = made.both(known, -same)
            return Truth(same, differ) if op == "=" else Truth(differ, same)
        levels = left.type.values if left.type.is_ordered else right.type.values if right.type.is_ordered else ()
        if not levels:
            levels = tuple(sorted({value for value, _ in (*a.options, *b.options)}))  # type: ignore[type-var]
        return self._order(op, self._level(a, levels), self._level(b, levels))

    def _level(self, choice: Choice, levels: Sequence[object]) -> Number:
        num = self.program.one_of((lit, levels.index(value)) for value, lit in choice.options)
        return Number(num, ONE, self.is_known(choice))

    def _order(self, op: str, left: Number, right: Number) -> Truth:
        made = self.program
        a, b = self._crossed(left, right)
        if op in ("=", "<>"):
            holds = made.is_equal(a, b)
        elif op in ("<=", ">"):
            holds = made.is_at_most(a, b)
        else:
            holds = made.is_at_most(b, a)
        known = made.both(left.known, right.known)
        met = Truth(made.both(known, holds), made.both(known, -holds))
        return Truth(met.no, met.yes) if op in ("<>", ">", "<") else met

    def _crossed(self, left: Number, right: Number) -> tuple[Whole, Whole]:
        """Bring two numbers to one denominator, and leave it away."""
        nums, _ = self._common([left, right])
        return nums[0], nums[1]

    # --- numbers ---

    def _constant(self, value: Fraction) -> Number:
        return Number(constant(value.numerator), constant(value.denominator), TRUE)

    def _number(self, num: Whole, den: Whole, known: Lit) -> Number:
        if den.is_constant:
            num, common = self.program.reduced(num, den.constant)
            den = constant(common)
        return Number(num, den, known)

    def _common(self, numbers: Sequence[Number]) -> tuple[list[Whole], Whole]:
        made = self.program
        known = lcm(*(number.den.constant for number in numbers if number.den.is_constant))
        moving = list(dict.fromkeys(number.den for number in numbers if not number.den.is_constant))
        den = constant(known)
        for each in moving:
            den = made.product(den, each)
        nums = []
        for number in numbers:
            if number.den.is_constant:
                num = made.times(number.num, known // number.den.constant)
            else:
                num = made.times(number.num, known)
            for each in moving:
                if each != number.den:
                    num = made.product(num, each)
            nums.append(num)
        return nums, den

    def add(self, *numbers: Number) -> Number:
        """Add up."""
        nums, den = self._common(numbers)
        return self._number(self.program.plus(*nums), den, self.program.both(*(n.known for n in numbers)))

    def multiply(self, left: Number, right: Number) -> Number:
        """Multiply."""
        made = self.program
        known = made.both(left.known, right.known)
        return self._number(made.product(left.num, right.num), made.product(left.den, right.den), known)

    def _arithmetic(self, node: Arithmetic) -> Number:
        a, b = self.number(node.left), self.number(node.right)
        made = self.program
        if node.op == "+":
            return self.add(a, b)
        if node.op == "-":
            return self.add(a, Number(made.times(b.num, -1), b.den, b.known))
        if node.op == "*":
            return self.multiply(a, b)
        # a sign lives in the numerator, and a divisor of nothing makes the quotient unknown
        is_nothing = made.is_equal(b.num, constant(0))
        is_negative = made.both(made.is_at_most(b.num, constant(-1)))
        num = made.product(a.num, b.den)
        if is_negative != FALSE:
            num = made.pick([(is_negative, made.times(num, -1)), (-is_negative, num)])
        size = made.absolute(b.num)
        if is_nothing == TRUE:
            return Number(constant(0), ONE, FALSE)
        if is_nothing != FALSE:
            size = made.extreme([size, ONE], False)
        return self._number(num, made.product(a.den, size), made.both(a.known, b.known, -is_nothing))

    def _calls(self, node: Call) -> list[tuple[Lit, Call]]:
        """Return a call over dates and text for every combination of the values its arguments may have."""
        made = self.program
        calls: list[tuple[Lit, tuple[Node, ...]]] = [(TRUE, ())]
        for argument in node.arguments:
            options = [
                (lit, Const(argument.type, False, argument.place, value))
                for value, lit in self.choice(argument).options
            ]
            if len(calls) * len(options) > MOST_CALLS:
                raise Untranslatable(f"{node.function} may be asked of too many values")
            calls = [(made.both(lit, other), (*known, one)) for lit, known in calls for other, one in options]
        if all(isinstance(argument, Const) for argument in node.arguments):
            raise Untranslatable(f"what {node.function} comes to is not known")
        return [(lit, Call(node.type, False, node.place, node.function, known)) for lit, known in calls]

    def _rounded(self, number: Number, scale: int) -> Whole:
        """Return a number times `scale` as a whole number, rounded half away from zero."""
        made, num, den = self.program, number.num, number.den
        if den.is_constant and scale % den.constant == 0:
            return made.times(num, scale // den.constant)
        lifted = made.plus(made.times(made.absolute(num), 2 * scale), den)
        whole = made.floor(lifted, made.times(den, 2))
        is_negative = made.is_at_most(num, constant(-1))
        ends = [half_away(Fraction(n * scale, d)) for n in (num.low, num.high) for d in (den.low, den.high)]
        signed = made.pick([(is_negative, made.times(whole, -1)), (-is_negative, whole)])
        return made.within(signed, min(ends), max(ends))

    def _call(self, node: Call) -> Number:
        made, name = self.program, node.function
        if name == "coalesce":
            return self._picked(self._first_known(node, self.number))
        if name not in ("abs", "floor", "ceil", "round", "least", "greatest", "clamp"):
            return self._picked([(lit, self.number(call)) for lit, call in self._calls(node)])
        if name == "round":
            digits = 0
            if len(node.arguments) == 2:
                assert isinstance(node.arguments[1], Const)
                digits = int(str(node.arguments[1].value))
            inner = self.number(node.arguments[0])
            return self._number(self._rounded(inner, 10**digits), constant(10**digits), inner.known)
        numbers = [self.number(argument) for argument in node.arguments]
        first = numbers[0]
        if name == "abs":
            return self._number(made.absolute(first.num), first.den, first.known)
        if name == "floor":
            return Number(made.floor(first.num, first.den), ONE, first.known)
        if name == "ceil":
            below = made.floor(made.times(first.num, -1), first.den)
            return Number(made.times(below, -1), ONE, first.known)
        if name == "clamp":
            value, low, high = numbers
            return self.extreme([low, self.extreme([value, high], True)], False)
        return self.extreme(numbers, name == "least")

    def extreme(self, numbers: Sequence[Number], is_least: bool) -> Number:
        """Return the least or the greatest; unknown where any is."""
        nums, den = self._common(numbers)
        known = self.program.both(*(number.known for number in numbers))
        return self._number(self.program.extreme(nums, is_least), den, known)

    # --- one of several ---

    def _branches(self, node: Case, of: Callable[[Node], V]) -> list[tuple[Lit, V]]:
        """Return what a case may come to and when; a test that is unknown stops it."""
        made = self.program
        options: list[tuple[Lit, V]] = []
        before: list[Lit] = []
        for branch in node.branches:
            test = self.truth(branch.when)
            options.append((made.both(*before, test.yes), of(branch.then)))
            before.append(test.no)
        options.append((made.both(*before), of(node.otherwise)))
        return options

    def _first_known(self, node: Call, of: Callable[[Node], V]) -> list[tuple[Lit, V]]:
        options: list[tuple[Lit, V]] = []
        before: list[Lit] = []
        for argument in node.arguments:
            value = of(argument)
            known = self.is_known(value)
            options.append((self.program.both(*before, known), value))
            before.append(-known)
        return options

    def _picked(self, options: Sequence[tuple[Lit, Number]]) -> Number:
        """Return the number of the option that holds; unknown where none does."""
        made = self.program
        options = [(lit, number) for lit, number in options if lit != FALSE]
        known = made.either(*(made.both(lit, number.known) for lit, number in options))
        rest = -made.either(*(lit for lit, _ in options))
        if rest != FALSE:
            options = [*options, (rest, Number(constant(0), ONE, FALSE))]
        if all(number.den.is_constant for _, number in options):
            nums, den = self._common([number for _, number in options])
        else:
            nums = [number.num for _, number in options]
            den = made.pick([(lit, number.den) for lit, number in options])
        num = made.pick([(lit, num) for (lit, _), num in zip(options, nums, strict=True)])
        return self._number(num, den, known)

    def _picked_truth(self, options: Sequence[tuple[Lit, Truth]]) -> Truth:
        made = self.program
        return Truth(
            made.either(*(made.both(lit, truth.yes) for lit, truth in options)),
            made.either(*(made.both(lit, truth.no) for lit, truth in options)),
        )

    def _picked_choice(self, options: Sequence[tuple[Lit, Choice]]) -> Choice:
        made = self.program
        found: dict[object, list[Lit]] = {}
        for lit, choice in options:
            for value, inner in choice.options:
                found.setdefault(value, []).append(made.both(lit, inner))
        return Choice(tuple((value, made.either(*lits)) for value, lits in found.items()))

    # --- parameters ---

    def _looked_up(self, node: Lookup, of: Callable[[Node], V]) -> list[tuple[Lit, V]]:
        """Return what a parameter may be and when; without an entry, and without else, it is unknown."""
        parameter = self.pack.parameters[node.parameter]
        model, gives = parameter.model, parameter.type.gives
        if parameter.lookup is not None:
            raise Untranslatable(f"{node.parameter} is read from a table")

        def result(value: object) -> V:
            made = of(Const(gives, False, node.place, exact(value)))
            # a parameter is kept as it is stored
            return self.millionths(made) if isinstance(made, Number) else made

        otherwise: list[V] = [result(model.else_)] if model.has("else") else []
        if model.values is None:
            bounds = [exact(literal(key)) for key in model.bands]
            places = self._banded(node.arguments[0], model.how, bounds)
            results = [result(value) for value in model.bands.values()]
            results += otherwise
            return list(zip(places, results, strict=False))
        assert model.rows is not None and model.columns is not None
        rows, columns = (self._axis(a, m) for a, m in zip(node.arguments, (model.rows, model.columns), strict=True))
        options = [
            (self.program.both(row, place), result(value))
            for row, values in zip(rows, model.values, strict=False)
            for place, value in zip(columns, values, strict=False)
        ]
        if otherwise:
            beside = self.program.both(self.program.either(*rows[:-1]), columns[-1])
            options.append((self.program.either(rows[-1], beside), otherwise[0]))
        return options

    def _axis(self, argument: Node, axis: Match) -> list[Lit]:
        return self._banded(argument, axis.how, [exact(bound) for bound in axis.bounds])

    def _banded(self, argument: Node, how: str, bounds: Iterable[object]) -> list[Lit]:
        """Return which bound an argument leads to, in their order; and last, whether it is known and to none."""
        made = self.program
        op = {"is": "=", "from": ">=", "up_to": "<="}[how]
        tests = [
            self._compare(op, argument, Const(_constant_type(argument, bound), False, argument.place, bound))
            for bound in bounds
        ]
        order = range(len(tests)) if how != "from" else range(len(tests) - 1, -1, -1)
        places = [FALSE] * len(tests)
        before: list[Lit] = []
        for place in order:
            places[place] = made.both(*before, tests[place].yes)
            before.append(tests[place].no)
        return [*places, made.both(*before, self.is_known(self.value(argument)))]


def _constant_type(argument: Node, bound: object) -> Type:
    return BOOLEAN if isinstance(bound, bool) else argument.type


def _said(node: Node) -> str:
    """Return what kind of part this is, for readers."""
    if isinstance(node, Call):
        return f"{node.function} of a value that changes"
    return type(node).__name__.lower()


def as_python(value: Value, number: Callable[[Whole], int], holds: Callable[[Lit], bool]) -> object:
    """Return what a value is in a solution: a fraction, a truth value, a text or date; None where it is unknown."""
    if isinstance(value, Number):
        return Fraction(number(value.num), number(value.den)) if holds(value.known) else None
    if isinstance(value, Truth):
        return True if holds(value.yes) else False if holds(value.no) else None
    return next((option for option, lit in value.options if holds(lit)), None)
