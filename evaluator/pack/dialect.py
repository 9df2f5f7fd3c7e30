"""The language of expressions as sqlglot reads it: its words, its signs, and what cannot be read in plain words."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import ClassVar

from sqlglot import exp, parse_one, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import TokenType  # type: ignore[attr-defined]

WORDS = {
    "AND": TokenType.AND, "OR": TokenType.OR, "NOT": TokenType.NOT, "IN": TokenType.IN,
    "BETWEEN": TokenType.BETWEEN, "IS": TokenType.IS, "NULL": TokenType.NULL, "CASE": TokenType.CASE,
    "WHEN": TokenType.WHEN, "THEN": TokenType.THEN, "ELSE": TokenType.ELSE, "END": TokenType.END,
    "TRUE": TokenType.TRUE, "FALSE": TokenType.FALSE,
}  # fmt: skip


class Wrong(Exception):  # noqa: N818 - caught where the expression's key is known
    """The first thing wrong with an expression, at a place in its text."""

    def __init__(self, code: str, message: str, place: tuple[int, int], fix: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.place, self.fix = code, message, place, fix


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


@lru_cache(maxsize=1024)  # a pack and its cases read the same expressions
def parse(text: str) -> exp.Expr:
    """Return sqlglot's tree of an expression, which nobody changes; raise Wrong where it cannot be read."""
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
        raise too_deep(text) from None
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


def too_deep(text: str) -> Wrong:
    """Return what is said of an expression that nests too deeply."""
    return Wrong("P301", "this is nested too deeply", (0, len(text)), "compute parts of it as measures or fields")
