"""Whole numbers and conditions that a solver may choose, each with its bounds: the only place that knows OR-Tools.

A literal is a whole number other than zero: n stands for a condition, -n for its opposite; TRUE and FALSE always and
never hold. A `Whole` is linear in the variables, and knows the least and the greatest it can be; nothing is made
whose bounds would not fit the solver's 64 bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, Literal

from evaluator.diagnostics import Stop

Lit = int
TRUE, FALSE = 1, -1
LARGEST = 1 << 59  # sums of a few still fit 64 bits


class Untranslatable(Exception):  # noqa: N818 - it is an answer
    """Raised where a value cannot be put to the solver exactly; says why."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number: the sum of variables times their factors, and a constant; never below low nor above high."""

    terms: tuple[tuple[int, int], ...]  # variable, factor other than zero; by variable
    constant: int
    low: int
    high: int

    @property
    def is_constant(self) -> bool:
        """Whether it is one number whatever is chosen."""
        return not self.terms

    def __str__(self) -> str:
        return str(self.constant) if self.is_constant else f"{self.low} … {self.high}"


def constant(value: int) -> Whole:
    """Return a number that is known."""
    return Whole((), value, value, value)


@dataclass(frozen=True, slots=True)
class Solution:
    """What a search ended with; `values` are those of the variables, `is_least` whether no other is better."""

    status: Literal["found", "none", "late"]
    values: tuple[int, ...] = ()
    is_least: bool = False


class Program:
    """Variables and what holds between them; grows, and is then searched as often as wanted."""

    def __init__(self) -> None:
        self.solver = _cp_sat()
        self.model = self.solver.CpModel()
        self.variables: list[Any] = []
        self.bounds: list[tuple[int, int]] = []
        self.known: dict[tuple[Any, ...], Any] = {}  # what was made already
        self.variable(1, 1)  # TRUE

    # --- variables ---

    def variable(self, low: int, high: int) -> Whole:
        """Return a number to be chosen, within bounds."""
        if max(abs(low), abs(high)) > LARGEST:
            raise Untranslatable("a number may become too large for the solver")
        self.variables.append(self.model.new_int_var(low, high, f"v{len(self.variables)}"))
        self.bounds.append((low, high))
        return Whole(((len(self.variables) - 1, 1),), 0, low, high)

    def literal(self) -> Lit:
        """Return a condition to be chosen."""
        self.variables.append(self.model.new_bool_var(f"v{len(self.variables)}"))
        self.bounds.append((0, 1))
        return len(self.variables)

    def _of(self, lit: Lit) -> Any:
        variable = self.variables[abs(lit) - 1]
        return variable if lit > 0 else variable.negated()

    def _expression(self, whole: Whole) -> Any:
        made = self.solver.LinearExpr.weighted_sum(
            [self.variables[variable] for variable, _ in whole.terms], [factor for _, factor in whole.terms]
        )
        return made + whole.constant

    def _made(self, terms: Mapping[int, int], value: int) -> Whole:
        kept = tuple((variable, factor) for variable, factor in sorted(terms.items()) if factor)
        low = high = value
        for variable, factor in kept:
            ends = [factor * end for end in self.bounds[variable]]
            low, high = low + min(ends), high + max(ends)
        if max(abs(low), abs(high)) > LARGEST:
            raise Untranslatable("a number may become too large for the solver")
        return constant(low) if low == high else Whole(kept, value, low, high)

    # --- whole numbers ---

    def plus(self, *parts: Whole) -> Whole:
        """Add up."""
        terms: dict[int, int] = {}
        for part in parts:
            for variable, factor in part.terms:
                terms[variable] = terms.get(variable, 0) + factor
        return self._made(terms, sum(part.constant for part in parts))

    def times(self, whole: Whole, factor: int) -> Whole:
        """Multiply by a known number."""
        return self._made({v: f * factor for v, f in whole.terms}, whole.constant * factor)

    def minus(self, left: Whole, right: Whole) -> Whole:
        """Subtract."""
        return self.plus(left, self.times(right, -1))

    def reduced(self, num: Whole, den: int) -> tuple[Whole, int]:
        """Divide a number and a positive one by what they have in common."""
        shared = gcd(den, num.constant, *(factor for _, factor in num.terms))
        if shared <= 1:
            return num, den
        divided = {v: f // shared for v, f in num.terms}
        return self._made(divided, num.constant // shared), den // shared

    def count(self, lits: Iterable[Lit]) -> Whole:
        """Return how many of these hold."""
        return self.weighted((lit, 1) for lit in lits)

    def weighted(self, parts: Iterable[tuple[Lit, int]]) -> Whole:
        """Add up the weights of what holds."""
        terms: dict[int, int] = {}
        value = 0
        for lit, weight in parts:
            if abs(lit) == TRUE:
                value += weight if lit == TRUE else 0
                continue
            variable = abs(lit) - 1
            value += 0 if lit > 0 else weight
            terms[variable] = terms.get(variable, 0) + (weight if lit > 0 else -weight)
        return self._made(terms, value)

    def product(self, left: Whole, right: Whole) -> Whole:
        """Multiply."""
        if left.is_constant:
            return self.times(right, left.constant)
        if right.is_constant:
            return self.times(left, right.constant)
        key = ("product", *sorted((left, right), key=repr))
        if key not in self.known:
            ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
            made = self.variable(min(ends), max(ends))
            sides = [self._expression(self._single(side)) for side in (left, right)]
            self.model.add_multiplication_equality(self._expression(made), sides)
            self.known[key] = made
        found: Whole = self.known[key]
        return found

    def _single(self, whole: Whole) -> Whole:
        """Return a variable that is equal to a number."""
        if len(whole.terms) == 1:
            return whole
        key = ("single", whole)
        if key not in self.known:
            made = self.variable(whole.low, whole.high)
            self.model.add(self._expression(made) == self._expression(whole))
            self.known[key] = made
        found: Whole = self.known[key]
        return found

    def floor(self, num: Whole, den: Whole) -> Whole:
        """Return the greatest whole number not above num / den; den is positive."""
        if num.is_constant and den.is_constant:
            return constant(num.constant // den.constant)
        key = ("floor", num, den)
        if key not in self.known:
            ends = [n // d for n in (num.low, num.high) for d in (den.low, den.high)]
            made = self.variable(min(ends), max(ends))
            whole = self._expression(self.product(made, den))
            self.model.add(whole <= self._expression(num))
            self.model.add(self._expression(num) <= whole + self._expression(den) - 1)
            self.known[key] = made
        found: Whole = self.known[key]
        return found

    def absolute(self, whole: Whole) -> Whole:
        """Return the distance from zero."""
        if whole.low >= 0:
            return whole
        if whole.high <= 0:
            return self.times(whole, -1)
        key = ("absolute", whole)
        if key not in self.known:
            made = self.variable(0, max(-whole.low, whole.high))
            self.model.add_abs_equality(self._expression(made), self._expression(whole))
            self.known[key] = made
        found: Whole = self.known[key]
        return found

    def extreme(self, wholes: Sequence[Whole], is_least: bool) -> Whole:
        """Return the least or the greatest."""
        if is_least:
            reach = min(whole.high for whole in wholes)
            open_ = [whole for whole in wholes if whole.low < reach]
            low, high = min(whole.low for whole in wholes), reach
        else:
            reach = max(whole.low for whole in wholes)
            open_ = [whole for whole in wholes if whole.high > reach]
            low, high = reach, max(whole.high for whole in wholes)
        if not open_:
            return constant(reach)
        if len(open_) == 1 and (open_[0].high <= reach if is_least else open_[0].low >= reach):
            return open_[0]
        made = self.variable(low, high)
        sides = [self._expression(whole) for whole in (*dict.fromkeys(open_), constant(reach))]
        equal = self.model.add_min_equality if is_least else self.model.add_max_equality
        equal(self._expression(made), sides)
        return made

    def pick(self, options: Sequence[tuple[Lit, Whole]]) -> Whole:
        """Return the number of the one option that holds; exactly one does."""
        options = [(lit, whole) for lit, whole in options if lit != FALSE]
        if len({whole for _, whole in options}) == 1:
            return options[0][1]
        if all(whole.is_constant for _, whole in options):
            return self.one_of((lit, whole.constant) for lit, whole in options)
        made = self.variable(min(w.low for _, w in options), max(w.high for _, w in options))
        for lit, whole in options:
            self.model.add(self._expression(made) == self._expression(whole)).only_enforce_if(self._of(lit))
        return made

    def one_of(self, parts: Iterable[tuple[Lit, int]]) -> Whole:
        """Return the number of the one condition that holds, 0 if none does; never do two of them."""
        parts = [(lit, value) for lit, value in parts if lit != FALSE]
        made = self.weighted(parts)
        ends = [value for _, value in parts] + ([0] if all(lit != TRUE for lit, _ in parts) else [])
        if len(parts) < 3 and made.low >= min(ends) and made.high <= max(ends):
            return made
        return self.within(made, min(ends), max(ends))

    def within(self, whole: Whole, low: int, high: int) -> Whole:
        """Return a number that is known to lie within bounds closer than those its parts tell."""
        if whole.low >= low and whole.high <= high:
            return whole
        made = self.variable(max(low, whole.low), min(high, whole.high))
        self.model.add(self._expression(made) == self._expression(whole))
        return made

    # --- conditions ---

    def both(self, *lits: Lit) -> Lit:
        """Return whether all of these hold."""
        kept = sorted({lit for lit in lits if lit != TRUE})
        if FALSE in kept or any(-lit in kept for lit in kept):
            return FALSE
        if len(kept) < 2:
            return kept[0] if kept else TRUE
        key = ("both", *kept)
        if key not in self.known:
            made = self.literal()
            self.model.add_bool_and([self._of(lit) for lit in kept]).only_enforce_if(self._of(made))
            self.model.add_bool_or([*(self._of(-lit) for lit in kept), self._of(made)])
            self.known[key] = made
        return int(self.known[key])

    def either(self, *lits: Lit) -> Lit:
        """Return whether any of these holds."""
        return -self.both(*(-lit for lit in lits))

    def is_at_most(self, left: Whole, right: Whole) -> Lit:
        """Return whether left <= right."""
        gap = self.minus(left, right)
        if gap.high <= 0:
            return TRUE
        if gap.low > 0:
            return FALSE
        # divided by what the factors have in common, rounded up: the same question with smaller numbers
        shared = gcd(*(factor for _, factor in gap.terms))
        gap = self._made({v: f // shared for v, f in gap.terms}, -(-gap.constant // shared))
        key = ("at most", gap)
        if key not in self.known:
            made = self.literal()
            self.model.add(self._expression(gap) <= 0).only_enforce_if(self._of(made))
            self.model.add(self._expression(gap) >= 1).only_enforce_if(self._of(-made))
            self.known[key] = made
        return int(self.known[key])

    def is_equal(self, left: Whole, right: Whole) -> Lit:
        """Return whether left = right."""
        return self.both(self.is_at_most(left, right), self.is_at_most(right, left))

    def require(self, *lits: Lit) -> None:
        """Leave out whatever does not meet one of these."""
        if TRUE not in lits:
            self.model.add_bool_or([self._of(lit) for lit in lits])

    # --- search ---

    def search(self, least: Whole, holds: Sequence[Lit], order: Sequence[Whole], seconds: float) -> Solution:
        """Return where `least` is least while all of `holds` hold.

        Of several such the one with most of the first in `order`, then of the second, and so on; these add up to
        `least`, and none is negative.
        """
        model = self.model.clone()
        for lit in holds:
            model.add_bool_or([self._of(lit)])
        objective = self._expression(least)
        model.minimize(objective)
        found = self._solved(model, seconds)
        if found.status != "found" or not found.is_least:
            return found
        cost = self.value(least, found)
        model.clear_objective()
        model.add(objective == cost)
        rest = list(order)
        size = 1
        while (cost + 1) ** (size + 1) < LARGEST // 1000 and size < len(rest):
            size += 1
        settled = 0
        while rest and settled < cost:
            front, rest = rest[:size], rest[size:]
            weights = [(cost + 1) ** place for place in reversed(range(len(front)))]
            ranked = self.plus(*(self.times(one, weight) for one, weight in zip(front, weights, strict=True)))
            model.maximize(self._expression(ranked))
            better = self._solved(model, seconds)
            if better.status != "found" or not better.is_least:
                return Solution("late")
            found = better
            model.clear_objective()
            model.add(self._expression(ranked) == self.value(ranked, found))
            settled += sum(self.value(one, found) for one in front)
        return found

    def _solved(self, model: Any, seconds: float) -> Solution:
        solver = self.solver.CpSolver()
        solver.parameters.num_workers = 1  # the same answer every time
        solver.parameters.random_seed = 0
        solver.parameters.max_deterministic_time = seconds  # counted in work done, so that it ends the same everywhere
        solver.parameters.max_time_in_seconds = 4 * seconds
        status = solver.solve(model)
        if status == self.solver.INFEASIBLE:
            return Solution("none", is_least=True)
        if status not in (self.solver.OPTIMAL, self.solver.FEASIBLE):
            if status == self.solver.MODEL_INVALID:
                raise Untranslatable(f"the solver refuses the numbers: {model.validate()}")
            return Solution("late")
        values = tuple(int(solver.value(variable)) for variable in self.variables)
        return Solution("found" if status == self.solver.OPTIMAL else "late", values, status == self.solver.OPTIMAL)

    @staticmethod
    def value(whole: Whole, found: Solution) -> int:
        """Return what a number is in a solution."""
        return whole.constant + sum(factor * found.values[variable] for variable, factor in whole.terms)

    @staticmethod
    def holds(lit: Lit, found: Solution) -> bool:
        """Return whether a condition holds in a solution."""
        return (found.values[abs(lit) - 1] == 1) is (lit > 0)


def _cp_sat() -> Any:
    """Return the solver; raise Stop where it is not installed."""
    try:
        from ortools.sat.python import cp_model
    except ImportError as wrong:
        raise Stop.of("R205", f"OR-Tools cannot be loaded: {wrong}") from None
    return cp_model
