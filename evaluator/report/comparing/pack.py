"""What two packs say differently: definitions compared by their meaning, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from evaluator.diagnostics import Span
from evaluator.pack.definitions import AggregateDef, FieldDef, Formula, KindDef, LineDef, Pack, TableDef, VerdictDef
from evaluator.pack.model_base import Model
from evaluator.pack.nodes import Compare, Const, Lookup, Node
from evaluator.report.comparing.model import Cause, How

Owner = tuple[str, str]  # a kind or table, and the value of it; ("parameters", its name); ("pack", what of it)


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing a definition says: which part of it, as it is written, what it means, and which parameters it reads."""

    role: str
    text: str
    shape: object
    at: Span | None
    formula: Formula | None = None
    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PieceDiff:
    """A part of a definition that two packs have differently, or that reads parameters they have differently."""

    owner: Owner
    role: str
    before: Piece | None
    after: Piece | None
    parameters: tuple[str, ...]

    @property
    def is_own(self) -> bool:
        """Whether the part itself differs, not only a parameter it reads."""
        return (self.before and self.before.shape) != (self.after and self.after.shape)


def place_of(at: Span | None) -> str:
    """Return file and line of something in a pack."""
    return f"{at.file.rsplit('/', 1)[-1]}:{at.line}" if at is not None else ""


def _meaning(value: Any) -> Any:
    """Return what a part of a model says, without where it stands."""
    if isinstance(value, Model):
        names = [name for name in type(value).model_fields if name not in ("note", "clause")]
        return tuple((name, _meaning(getattr(value, name))) for name in names if getattr(value, name) is not None)
    if isinstance(value, dict):
        return tuple((_meaning(key), _meaning(one)) for key, one in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return tuple(_meaning(one) for one in value)
    if isinstance(value, str):
        return str(value)
    return value


class Meanings:
    """The definitions of a pack as pieces."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.pieces: dict[Owner, list[Piece]] = {}
        for name, parameter in pack.parameters.items():
            shown = _table_of_values(parameter.model)
            self.pieces["parameters", name] = [Piece("", shown, _meaning(parameter.model), parameter.at)]
        period = f"{pack.period.months} months ending {'-'.join(f'{n:02}' for n in pack.period.ending)}"
        self._add(("pack", "period"), [Piece("", period, _meaning(pack.period), None)])
        self._add(("pack", "terms"), [Piece("", "", _meaning(pack.terms), None)])
        self._add(("pack", "holidays"), [Piece("", "", _meaning(pack.holidays), None)])
        self._add(("pack", "history"), [Piece("", f"gap: {pack.gap}", pack.gap, None)])
        for table in pack.tables.values():
            for field in table.fields.values():
                self._add((table.name, field.name), list(self._field(field)))
            self._add((table.name, "#table"), list(self._table(table)))
        for kind in pack.kinds.values():
            self._add((kind.name, "is_assessed"), list(self._apart(kind)))
            for name, measure in kind.measures.items():
                own = self._formulas({"value": measure.value}, measure.at)
                self._add((kind.name, name), [*own, *self._aggregate(measure.aggregate, measure.at)])
            for line in kind.lines:
                self._add((kind.name, points_name(line.id)), list(self._line(line)))
            for name, verdict in kind.verdicts.items():
                self._add((kind.name, name), list(self._verdict(verdict)))
            for roster in kind.rosters:
                pieces = list(self._formulas({"where": roster.where, "within": roster.within}, roster.model.at))
                pieces += self._order(roster.order_by, roster.model.at)
                pieces.append(Piece("rank", roster.model.rank, roster.model.rank, roster.model.key_at("rank")))
                self._add((kind.name, f"rank.{roster.id}"), pieces)

    def _add(self, owner: Owner, pieces: list[Piece]) -> None:
        self.pieces[owner] = pieces

    def _formulas(self, given: dict[str, Formula | None], at: Span) -> Iterator[Piece]:
        for role, formula in given.items():
            if formula is not None:
                yield self.formula(role, formula)

    def formula(self, role: str, formula: Formula) -> Piece:
        """Return a formula as a piece: what it means, with its parameters by name."""
        reads: set[str] = set()
        return Piece(
            role, formula.text, self._shape(formula.node, formula, reads), formula.at, formula, frozenset(reads)
        )

    def _shape(self, node: Node, formula: Formula, reads: set[str]) -> object:
        written = formula.text[node.place[0] : sum(node.place)]
        if isinstance(node, Const):
            if written in self.pack.parameters:
                reads.add(written)
                return ("parameter", written)
            return ("constant", node.value)
        if isinstance(node, Lookup):
            reads.add(node.parameter)
        parts: list[object] = [type(node).__name__]
        for field in fields(node):
            if field.name in ("type", "nullable", "place", "written"):
                continue
            value = getattr(node, field.name)
            listed = value if isinstance(value, tuple) else (value,)
            parts.append(tuple(self._shape(v, formula, reads) if isinstance(v, Node) else v for v in listed))
        if isinstance(node, Compare) and node.op not in ("=", "<>") and node.left.type.is_ordered:
            parts.append(node.left.type.values)  # worst to best
        return tuple(parts)

    def _order(self, keys: Iterable[Any], at: Span) -> list[Piece]:
        pieces = [self.formula("order_by", key.formula) for key in keys]
        shape = tuple((piece.shape, key.is_descending) for piece, key in zip(pieces, keys, strict=True))
        text = ", ".join(p.text + " desc" * k.is_descending for p, k in zip(pieces, keys, strict=True))
        return [Piece("order_by", text, shape, pieces[0].at if pieces else at, None, _all_reads(pieces))]

    def _field(self, field: FieldDef) -> Iterator[Piece]:
        read = (field.type, field.headings, tuple(field.spellings.items()), field.by, field.is_optional, field.default)
        text = ", ".join(field.headings) or str(field.type)
        yield Piece("", text, read, field.at)
        yield from self._formulas({"value": field.value}, field.at)
        yield from self._aggregate(field.aggregate, field.at)

    def _table(self, table: TableDef) -> Iterator[Piece]:
        model = table.model
        yield from self._formulas({"date": table.date}, table.at)
        yield Piece("files", ", ".join(table.files), (table.files, table.key), table.at)
        if table.unfold is not None:
            yield Piece("unfold", ", ".join(table.unfold.lists), _meaning(table.unfold.columns), table.at)
        if table.expected is not None:
            yield Piece("expected", ", ".join(table.expected.every), _meaning(model.expected), table.at)

    def _apart(self, kind: KindDef) -> Iterator[Piece]:
        for role, listed in (("not_assessed", kind.not_assessed), ("not_ranked", kind.not_ranked)):
            for one in listed:
                piece = self.formula(role, one.when)
                text = f"{one.reason} ← {one.when.text}"
                yield Piece(role, text, (role, piece.shape, str(one.reason)), piece.at, one.when, piece.reads)

    def _aggregate(self, made: AggregateDef | None, at: Span) -> Iterator[Piece]:
        if made is None:
            return
        shape = (made.function, made.source, made.links, made.is_peers, made.is_descending, _meaning(made.period))
        yield Piece("each", f"{made.function} {made.source}", shape, at)
        given = {"points": made.operand, "where": made.where, "within": made.within, "default": made.default}
        yield from self._formulas(given, at)
        for own, other in made.same:
            yield self.formula("same", own)
            yield self.formula("same", other)

    def _line(self, line: LineDef) -> Iterator[Piece]:
        given = {"when": line.when, "points": line.points, "base": line.base, "min": line.min, "max": line.max}
        yield Piece("in_force", str(line.is_in_force).lower(), line.is_in_force, line.at)
        yield from self._formulas(given, line.at)
        yield from self._aggregate(line.aggregate, line.at)
        for n, one in enumerate(line.times, 1):
            yield from self._formulas({f"times {n} when": one.when, f"times {n} by": one.by}, line.at)
        for n, veto in enumerate(line.veto, 1):
            yield from self._formulas({f"veto {n} when": veto.when, f"veto {n} to": veto.to}, line.at)
        if line.judged is not None:
            yield from self._formulas({"judged from": line.judged.low, "judged to": line.judged.high}, line.at)
        if line.selection is not None:
            made = line.selection
            shape = (made.is_once, made.prefer, made.order_by, made.series)
            text = ", ".join(f"{n}: {float(factor):g}" for n, factor in made.series)
            yield Piece("series" if made.series else "once_per", text, shape, line.at)
            for own in made.keys.values():
                for role, keys in (("once_per", (own.once,)), ("prefer", own.prefer), ("order_by", own.order_by)):
                    yield from (self.formula(role, key) for key in keys if key is not None)

    def _verdict(self, verdict: VerdictDef) -> Iterator[Piece]:
        yield Piece("levels", ", ".join(map(str, verdict.type.values)), (verdict.form, verdict.type), verdict.at)
        for rule in verdict.rules:
            yield self.rule(verdict, rule.number)
        given = {name: getattr(verdict, name) for name in ("when", "value", "among", "take", "within")}
        yield from self._formulas(given, verdict.at)
        yield from self._order(verdict.order_by, verdict.at) if verdict.order_by else []
        for name in ("pick", "ties"):
            said = getattr(verdict.model, name)
            if said is not None:
                yield Piece(name, str(said), str(said), verdict.model.key_at(name))

    def rule(self, verdict: VerdictDef, number: int) -> Piece:
        """Return a rule of a verdict as a piece."""
        rule = next(rule for rule in verdict.rules if rule.number == number)
        if rule.when is None:
            return Piece(f"rule {number}", f"otherwise: {rule.value}", ("rule", rule.value), rule.model.at)
        piece = self.formula("", rule.when)
        text = f"{rule.value} ← {rule.when.text}"
        return Piece(f"rule {number}", text, ("rule", rule.value, piece.shape), rule.model.at, rule.when, piece.reads)


def points_name(line: str) -> str:
    """Return the name of a line's points among the values of its kind."""
    return "total" if line == "total" else f"points.{line}"


def _all_reads(pieces: Iterable[Piece]) -> frozenset[str]:
    return frozenset().union(*(piece.reads for piece in pieces))


def _table_of_values(model: Any) -> str:
    """Write the values of a parameter."""
    if model.constant is not None:
        return str(model.constant)
    listed = model.is_ or model.from_ or model.up_to
    if isinstance(listed, dict):
        parts = [f"{key}: {value}" for key, value in listed.items()]
        return ", ".join(parts + ([f"else: {model.else_}"] if model.else_ is not None else []))
    if model.values is not None:
        return "; ".join(", ".join(map(str, row)) for row in model.values)
    return f"{model.table}.{model.value}"


class PackDiff:
    """What differs between two packs, by the value it is of."""

    def __init__(self, before: Pack, after: Pack) -> None:
        self.sides = Meanings(before), Meanings(after)
        first, second = (side.pieces for side in self.sides)
        self.parameters = {
            name for owner, name in first.keys() | second.keys()
            if owner == "parameters"
            and _shape_of(first.get((owner, name))) != _shape_of(second.get((owner, name)))
        }  # fmt: skip
        self.diffs: dict[Owner, list[PieceDiff]] = {}
        for owner in dict.fromkeys([*first, *second]):
            found = list(self._of(owner, first.get(owner, []), second.get(owner, [])))
            if found:
                self.diffs[owner] = found

    def _of(self, owner: Owner, before: list[Piece], after: list[Piece]) -> Iterator[PieceDiff]:
        """Pair what is the same first, then what has the same role, then what is left."""
        left, right = list(before), list(after)
        pairs: list[tuple[Piece | None, Piece | None]] = []
        for same in (lambda a, b: _role(a) == _role(b) and a.shape == b.shape, lambda a, b: _alike(a, b)):
            for one in list(left):
                other = next((p for p in right if same(one, p)), None)
                if other is not None:
                    left.remove(one)
                    right.remove(other)
                    pairs.append((one, other))
        if (moved := _out_of_order(before, pairs)) is not None:
            yield PieceDiff(owner, "order", *moved, ())
        pairs += [(one, None) for one in left] + [(None, one) for one in right]
        for first, second in pairs:
            either = [piece for piece in (second, first) if piece is not None]
            reads = _all_reads(either) & self.parameters
            diff = PieceDiff(owner, either[0].role, first, second, tuple(sorted(reads)))
            if diff.is_own or reads:
                yield diff

    def of(self, owner: Owner) -> list[PieceDiff]:
        """Return what differs of a value's definition."""
        return self.diffs.get(owner, [])

    def is_in_one(self, owner: Owner) -> bool:
        """Whether only one of the packs has the value."""
        return (owner in self.sides[0].pieces) != (owner in self.sides[1].pieces)

    def causes(self, diff: PieceDiff) -> list[Cause]:
        """Return a difference as causes: the part itself, and each parameter it reads."""
        found = [self._cause(diff.owner, diff.role, diff.before, diff.after)] if diff.is_own else []
        return found + [cause for name in diff.parameters for cause in self.parameter(name)]

    def parameter(self, name: str) -> list[Cause]:
        """Return how a parameter differs."""
        one, other = (next(iter(side.pieces.get(("parameters", name), [])), None) for side in self.sides)
        before, after = _entries_that_differ(one.text if one else None, other.text if other else None)
        return [self._cause(("parameters", name), "", one, other, before, after)]

    def whole(self, owner: Owner) -> list[Cause]:
        """Return that a value is defined in one of the packs only."""
        one, other = (next(iter(side.pieces.get(owner, [])), None) for side in self.sides)
        return [self._cause(owner, "", one, other, None, None)]

    @staticmethod
    def _cause(
        owner: Owner, role: str, one: Piece | None, other: Piece | None, before: Any = ..., after: Any = ...
    ) -> Cause:
        how: How = "added" if one is None else "removed" if other is None else "changed"
        return Cause(
            what="rule", how=how, owner=".".join(owner).removesuffix(".#table"), field=role,
            before=(one and one.text) if before is ... else before,
            after=(other and other.text) if after is ... else after,
            at_before=place_of(one.at if one else None), at_after=place_of(other.at if other else None),
        )  # fmt: skip

    def everything(self) -> tuple[Cause, ...]:
        """Return all that differs, each once."""
        found: dict[Cause, None] = {}
        for owner, diffs in self.diffs.items():
            if self.is_in_one(owner):
                found.update(dict.fromkeys(self.whole(owner)))
                continue
            for diff in diffs:
                if owner[0] == "parameters":
                    found.update(dict.fromkeys(self.parameter(owner[1])))
                elif diff.is_own:
                    found[self._cause(owner, diff.role, diff.before, diff.after)] = None
        return tuple(found)


def _shape_of(pieces: list[Piece] | None) -> object:
    return None if pieces is None else tuple(piece.shape for piece in pieces)


def _role(piece: Piece) -> str:
    """Return the role of a piece; a rule may stand at another place."""
    return piece.role.split(" ")[0] if piece.role.startswith("rule") else piece.role


def _alike(one: Piece, other: Piece) -> bool:
    """Whether two pieces are one part, written differently: of rules, those that come to the same value."""
    if _role(one) != _role(other):
        return False
    if _role(one) != "rule":
        return True
    values = [piece.shape[1] if isinstance(piece.shape, tuple) else None for piece in (one, other)]
    return bool(values[0] == values[1])


def _out_of_order(before: list[Piece], pairs: list[tuple[Piece | None, Piece | None]]) -> tuple[Piece, Piece] | None:
    """Return the first rule that another one has been put before."""
    rules = [(one, other) for one, other in pairs if one is not None and other is not None and _role(one) == "rule"]
    rules.sort(key=lambda pair: before.index(pair[0]))
    for (_, earlier), (one, other) in pairwise(rules):
        if _number(other) < _number(earlier):
            return replace(one, shape=one.role), replace(other, shape=other.role)
    return None


def _number(piece: Piece) -> int:
    return int(piece.role.split(" ")[1])


def _entries_that_differ(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Leave out of two lists of entries what is in both."""
    if before is None or after is None or ", " not in before + after:
        return before, after
    one, other = before.split(", "), after.split(", ")
    left, right = ([entry for entry in own if entry not in rest] for own, rest in ((one, other), (other, one)))
    return ", ".join(left) or None, ", ".join(right) or None
