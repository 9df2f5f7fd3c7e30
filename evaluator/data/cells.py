"""From the text of a cell to a value: tidied, read as its type, and told what is wrong with it."""

from __future__ import annotations

from sqlglot import exp

from evaluator.data.sheets import BLANK, clean
from evaluator.pack.definitions import FieldDef
from evaluator.pack.nodes import Const
from evaluator.pack.types import Type
from evaluator.sql.lower import Lowering
from evaluator.sql.ratio import UNIT
from evaluator.sql.trees import (
    SQL,
    both,
    call,
    cast,
    choose,
    column,
    either,
    first_value,
    is_null,
    named,
    number,
    table,
    text,
    type_named,
)

FULL = "".join(map(chr, [*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0x3000]))
HALF = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz "
# most cells are tidy, and one pattern tells so faster than they are tidied
UNTIDY = f"[０-９Ａ-Ｚａ-ｚ　]|^[{BLANK}]|[{BLANK}]$|^$"
TRUE = ("是", "true", "yes", "y", "1", "√", "✓", "有", "对")
FALSE = ("否", "false", "no", "n", "0", "×", "✗", "x", "无", "错")
# signs may be full-width: patterns take both
DAY = r"^(\d{4})\s*[-－/／.．年]\s*(\d{1,2})\s*[-－/／.．月]\s*(\d{1,2})\s*日?([ T]\d{1,2}:\d\d(:\d\d)?)?$"
SERIAL = r"^[2-7]\d{4}([.．]0+)?$"
LARGEST = 10**12 - 1  # what a number may have before the point
EXCEL_ERRORS = (
    *("#N/A", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"),
    *("#CALC!", "#SPILL!", "#FIELD!", "#BLOCKED!", "#GETTING_DATA"),
)
_DIGITS = r"^[-－+＋]?(\d{1,12}|\d{1,3}([,，]\d{3}){1,3})"
NUMBER, WHOLE = _DIGITS + r"([.．]\d+)?$", _DIGITS + r"([.．]0+)?$"
_NATIVE = {"DATE": "date", "BOOLEAN": "boolean"}
_INTEGERS = ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER", "USMALLINT", "UTINYINT")


def cleaned(raw: SQL) -> SQL:
    """Trim text, make full-width letters and digits plain, and leave null where nothing remains."""
    plain = call("translate", raw.copy(), text(FULL), text(HALF))
    tidied = exp.Nullif(this=call("trim", plain, text(BLANK)), expression=text(""))
    return choose([(exp.RegexpLike(this=raw.copy(), expression=text(UNTIDY)), tidied)], raw)


def native_value(cell: SQL, native: str, kind: Type) -> SQL | None:
    """Return the value of a cell that its file holds as more than text, where that fits the type."""
    if _NATIVE.get(native) == kind.base:
        return cell
    if native in _INTEGERS and kind.is_number:
        value: SQL = cast(cell.copy(), "BIGINT")
        if kind.base == "number":
            value = exp.Mul(this=value, expression=number(UNIT))
        fits = exp.Between(this=cell.copy(), low=number(-LARGEST), high=number(LARGEST))
        return choose([(fits, value)])
    return None


def is_tidy(native: str) -> bool:
    """Whether the values of a column of this type, written as text, never need tidying."""
    return native in _NATIVE or native in _INTEGERS


def parsed(kind: Type, spellings: dict[str, str], value: SQL) -> SQL:
    """Return the typed value of cleaned text, null where it is none of its type."""

    def fits(pattern: str) -> SQL:
        return exp.RegexpLike(this=value.copy(), expression=text(pattern))

    def part(group: int) -> SQL:
        found = exp.RegexpExtract(this=value.copy(), expression=text(DAY), group=number(group))
        return call("lpad", found, number(4 if group == 1 else 2), text("0"))

    if kind.base == "date":
        day = exp.TryCast(this=call("concat", part(1), text("-"), part(2), text("-"), part(3)), to=type_named("DATE"))
        since = cast(call("left", value.copy(), number(5)), "INT")
        return choose(
            [(fits(DAY), day), (fits(SERIAL), exp.Add(this=cast(text("1899-12-30"), "DATE"), expression=since))]
        )
    if kind.is_number:
        # signs that have no plain one beside them are left out
        exact = cast(call("translate", value.copy(), text("．－＋,，"), text(".-+")), "DECIMAL(38,6)")
        if kind.base == "integer":
            return choose([(fits(WHOLE), cast(exact, "BIGINT"))])
        scaled = cast(exp.Mul(this=exact, expression=number(UNIT)), "BIGINT")
        # rounding may lift a number over the largest
        small = exp.LTE(this=exp.Abs(this=exact.copy()), expression=exp.Literal.number(f"{LARGEST}.999999"))
        return choose([(fits(NUMBER), choose([(small, scaled)]))])
    if kind.base == "boolean":
        low = exp.Lower(this=value.copy())
        yes, no = (exp.In(this=low.copy(), expressions=[text(w) for w in words]) for words in (TRUE, FALSE))
        return choose([(yes, exp.true()), (no, exp.false())])
    if spellings:
        return choose(
            [
                (exp.EQ(this=value.copy(), expression=text(clean(word))), text(canonical))
                for word, canonical in spellings.items()
            ]
        )
    return value


def literal_sql(value: object, kind: Type) -> SQL:
    """Return a literal of the pack as it is stored."""
    constant = Const(kind, False, (0, 0), value)
    lowering = Lowering.__new__(Lowering)
    return lowering.stored(constant, kind) if kind.is_number else lowering.value(constant)


def misfit(kind: Type) -> str:
    """Say what a cell is that holds no value of a type."""
    if kind.values:
        return "not one of " + ", ".join(str(v) for v in kind.values if v != "")
    return {
        "date": "not a date", "number": "not a number",
        "integer": "not a whole number", "boolean": "not true or false",
    }.get(kind.base, "not a text")  # fmt: skip


def checked(f: FieldDef, words: SQL) -> tuple[SQL, SQL]:
    """Return a field's value with its default, and what is wrong with the cell (null if nothing)."""
    value: SQL = column(f.name, "r")
    misread = both(is_null(value), exp.Not(this=is_null(words)))
    branches: list[tuple[SQL, SQL]] = [_workbook_error(words), (misread, text(misfit(f.type)))]
    if f.default is not None:
        value = exp.Coalesce(this=value, expressions=[literal_sql(f.default, f.type)])
    elif not f.is_optional:
        branches.append((is_null(words), text("empty")))
    elif f.type.base == "text" and not f.nullable:
        value = exp.Coalesce(this=value, expressions=[text("")])
    return value, choose(branches, cast(exp.Null(), "TEXT"))


def is_told_by_null(f: FieldDef) -> bool:
    """Whether a cell is faulty just where it has no value: it must have one, and no fault leaves one."""
    if f.is_optional or f.default is not None or not f.spellings.keys().isdisjoint(EXCEL_ERRORS):
        return False
    return len(f.by) == 1 if f.type.base == "ref" else f.type.base != "text" or bool(f.spellings)


def resolved(f: FieldDef, words: SQL, joins: list[tuple[SQL, SQL]]) -> tuple[SQL, SQL]:
    """Return the row a cell refers to, and what is wrong with it; a name borne twice refers to nobody.

    What has to be joined for that is added to `joins`.
    """
    found: list[SQL] = []
    doubtful: list[SQL] = []
    for by in f.by:
        alias = f"j{len(joins)}"
        shown = cast(column(by, "x"), "TEXT")
        look = (
            exp.select(
                named(shown, "words"),
                named(exp.Min(this=column("#sid", "x")), "sid"),
                named(exp.Count(this=exp.Star()), "bearers"),
            )
            .from_(exp.alias_(table(f.type.target), "x", table=True, copy=False), copy=False)
            .group_by(shown.copy(), copy=False)
        )
        on = exp.EQ(this=words.copy(), expression=column("words", alias))
        joins.append((look.subquery(alias, copy=False), on))
        single = exp.EQ(this=column("bearers", alias), expression=number(1))
        found.append(choose([(single, column("sid", alias))]))
        doubtful.append(exp.GT(this=column("bearers", alias), expression=number(1)))
    value = first_value(found)
    # a cell that matches by an earlier field is settled, whatever the later ones say
    branches: list[tuple[SQL, SQL]] = []
    for place, doubt in enumerate(doubtful):
        earlier = [exp.Not(this=is_null(f_)) for f_ in found[:place]]
        if earlier:
            branches.append((either(*earlier), cast(exp.Null(), "TEXT")))
        branches.append((doubt, text(f"borne by several rows of {f.type.target}")))
    branches.append(_workbook_error(words))
    unknown = both(is_null(value), exp.Not(this=is_null(words)))
    branches.append((unknown, text(f"not in {f.type.target}")))
    if not f.is_optional:
        branches.append((is_null(words), text("empty")))
    return value, choose(branches, cast(exp.Null(), "TEXT"))


def _workbook_error(words: SQL) -> tuple[SQL, SQL]:
    """Return the case that a cell shows an error of the workbook's, such as #N/A."""
    return exp.In(this=words.copy(), expressions=[text(e) for e in EXCEL_ERRORS]), text("an error of the workbook")
