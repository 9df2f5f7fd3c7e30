"""Problems a user can mend: where they are, what is wrong, why it matters, how to mend it.

Expected problems are values. A stage collects them in `Problems`; the command line prints them all, sorted by
position. `Stop` carries them out of a stage that cannot go on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line of a text file; line and column count characters from 1."""

    file: str
    line: int
    column: int
    length: int = 1
    text: str = field(default="", compare=False, repr=False)

    def shifted(self, offset: int, length: int = 1) -> Span:
        """Return the span that starts `offset` characters further on the same line."""
        return replace(self, column=self.column + offset, length=length)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A place in a table of data; row counts from 1 with the header row, column is its heading."""

    file: str
    sheet: str = ""
    row: int = 0
    column: str = ""

    def __str__(self) -> str:
        place = self.file + (f"[{self.sheet}]" if self.sheet else "")
        return place + (f":{self.row}" if self.row else "") + (f":{self.column}" if self.column else "")


@dataclass(frozen=True, slots=True)
class Code:
    """What every diagnostic of one code has in common: its title, why it matters, how it is mended."""

    title: str
    why: str
    fix: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem. `fix` replaces the code's own advice where this case allows a closer one."""

    code: str
    message: str
    at: Span | Cell | None = None
    fix: str | None = None
    also: tuple[tuple[Span | Cell, str], ...] = ()

    @property
    def severity(self) -> Severity:
        """Whether the problem stops the run."""
        return CODES[self.code].severity

    def __str__(self) -> str:
        about = CODES[self.code]
        place = f"{self.at}: " if self.at else ""
        lines = [f"{place}{about.severity}[{self.code}]: {self.message}"]
        if isinstance(self.at, Span) and self.at.text:
            lines += _excerpt(self.at)
        lines += [f"  also: {other}: {what}" for other, what in self.also]
        fix, anchor = self.fix or about.fix, f"docs/diagnostics.md#{self.code.lower()}"
        lines.append(f"  why: {about.why}")
        lines.append(f"  fix: {fix}" + (f"\n  see: {anchor}" if "\n" in fix else f"    {anchor}"))
        return "\n".join(lines)


def _excerpt(at: Span) -> list[str]:
    """Show the line and a caret under the place, padded by the width the terminal gives each character."""
    from wcwidth import wcswidth  # it loads slowly, and most commands find nothing to say

    number = str(at.line)
    before, marked = at.text[: at.column - 1], at.text[at.column - 1 : at.column - 1 + at.length]
    pad, width = max(wcswidth(before), 0), max(wcswidth(marked), 1)
    return [f"   {number} |  {at.text}", f"   {' ' * len(number)} |  {' ' * pad}{'^' * width}"]


class Stop(Exception):  # noqa: N818 - it is not an error of ours
    """Raised by a stage that cannot go on; carries what the user has to mend."""

    def __init__(self, problems: Iterable[Diagnostic]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, code: str, message: str, at: Span | Cell | None = None, fix: str | None = None) -> Stop:
        """Return one that carries a single problem."""
        problems = Problems()
        problems.add(code, message, at, fix)
        return cls(problems)


class Problems:
    """What a stage has found so far, in the order found; iterates sorted by position, each once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}

    def add(
        self,
        code: str,
        message: str,
        at: Span | Cell | None = None,
        fix: str | None = None,
        also: Iterable[tuple[Span | Cell, str]] = (),
    ) -> None:
        """Note a problem."""
        self._found[Diagnostic(code, message, at, fix, tuple(also))] = None

    def extend(self, found: Iterable[Diagnostic]) -> None:
        """Note problems another stage has found."""
        self._found.update(dict.fromkeys(found))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(sorted(self._found, key=_place))

    def __len__(self) -> int:
        return len(self._found)

    @property
    def has_errors(self) -> bool:
        """Whether any of them stops the run."""
        return any(d.severity == "error" for d in self._found)

    def stop_on_errors(self) -> None:
        """Raise Stop if anything found is an error."""
        if self.has_errors:
            raise Stop(self)


def _place(found: Diagnostic) -> tuple[str, str, int, int, str, str, str]:
    at = found.at
    if isinstance(at, Span):
        return (at.file, "", at.line, at.column, "", found.code, found.message)
    if isinstance(at, Cell):
        return (at.file, at.sheet, at.row, 0, at.column, found.code, found.message)
    return ("", "", 0, 0, "", found.code, found.message)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the one known word that `word` was probably meant to be, if it is close.

    >>> closest("pionts", ["points", "base"])
    'points'
    >>> closest("colour", ["points", "base"]) is None
    True
    """
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)), None)


def rename_to(word: str, known: Iterable[str]) -> str | None:
    """Return the advice to rename `word` to the close known one, or None."""
    near = closest(word, known)
    return f'rename to "{near}"' if near else None


def known_here(known: Iterable[str]) -> str | None:
    """Return the advice to use one of the first of these names, or None where there are none."""
    shown = sorted(known)
    return f"known here: {', '.join(shown[:12])}{' …' if len(shown) > 12 else ''}" if shown else None


CODES: dict[str, Code] = {
    # --- YAML ---------------------------------------------------------------------------------------------
    "P101": Code("file cannot be read", "a pack is read whole or not at all", "check the path and its permissions"),
    "P102": Code("not UTF-8", "one encoding keeps every name the same on every machine", "save the file as UTF-8"),
    "P103": Code("not YAML", "the rest of the file cannot be read reliably", "mend the syntax at the caret"),
    "P104": Code(
        "unknown key",
        "unknown keys are refused, so that a typo cannot silently score nothing",
        "remove it, or see docs/language.md for the keys allowed here",
    ),
    "P105": Code("key written twice", "of two values only one could count", "keep one of the two"),
    "P106": Code("anchor, alias or merge key", "a rule must read the same where it stands", "write the value out"),
    "P107": Code("tag", "values have the types of the pack language, never a program's", "remove the tag"),
    "P108": Code("empty value", "nothing and zero are different answers", "give a value or remove the key"),
    "P109": Code("tab", "tabs look like any number of spaces", "indent with spaces"),
    "P110": Code(
        "expression cut at a comma",
        "inside braces YAML ends a value at the comma",
        "put the expression on a line of its own",
    ),
    "P111": Code(
        "expression begins with a quote",
        "YAML takes the quoted part for the whole value",
        "start with a name",
    ),
    "P112": Code(
        "expression begins with a sign of YAML's",
        "YAML takes the sign for a list, a block, a tag, an anchor or an alias",
        "start with a name",
    ),
    "P113": Code("expression cut at #", "YAML takes ' #' for a comment", "put the whole expression in double quotes"),
    "P114": Code(
        "expression cut at a colon",
        "YAML takes ': ' for a mapping",
        "put the whole expression in double quotes",
    ),
    "P115": Code("not a mapping", "a pack file is a mapping of keys to values", "start the file with a key"),
    "P116": Code("several documents", "a pack file holds one document", "remove the '---' line"),
    "P117": Code(
        "folder is there already", "what somebody wrote is never overwritten", "choose another name, or another --out"
    ),
    # --- shape --------------------------------------------------------------------------------------------
    "P201": Code("missing key", "without it the rule has no meaning", "add the key"),
    "P202": Code("wrong kind of value", "values are not converted silently", "write a value of the kind expected"),
    "P203": Code(
        "keys that do not go together",
        "one of them would go unheard",
        "remove one, or add what the other goes with",
    ),
    "P204": Code("not a name", "names stand in expressions", "use letters of any script, digits and _"),
    "P205": Code("name used twice", "a name must mean one thing in a scope", "rename one of them"),
    "P206": Code("reserved name", "it already means something in expressions", "choose another name"),
    "P207": Code(
        "dates that do not go together", "a date must mean one thing, and mean something", "mend one of the dates"
    ),
    # --- expressions --------------------------------------------------------------------------------------
    "P301": Code("not an expression", "a rule is only as sure as its reading", "mend the expression at the caret"),
    "P302": Code(
        "not allowed in an expression",
        "expressions compute one value from named values, and nothing else",
        "see docs/language.md for what expressions may hold",
    ),
    "P303": Code("unknown function", "only functions proved equal on every engine are allowed", "see docs/language.md"),
    "P304": Code("wrong arguments", "a function called wrongly has no value", "see docs/language.md"),
    "P305": Code("full-width or foreign sign", "it would become part of a name", "write the plain sign"),
    "P306": Code("types do not fit", "values are not converted silently", "compare like with like"),
    "P307": Code("not one of its values", "the condition could never hold", "use one of the values declared"),
    # --- names and order ----------------------------------------------------------------------------------
    "P401": Code("unknown name", "a rule about nothing would silently never hold", "use a name that is declared"),
    "P402": Code("unknown table", "there are no records of that name", "use a table or kind of this pack"),
    "P403": Code("no path to the subject", "records must belong to somebody", "add a ref, or say via"),
    "P404": Code("several paths to the subject", "counting must be unambiguous", "say via: which ref"),
    "P405": Code("circle", "each value needs another one first", "break the circle"),
    "P406": Code(
        "records could count twice",
        "a record scored by two lines is counted again only when that is said",
        "make the conditions exclude each other, or write again: true on the later line",
    ),
    "P407": Code("no such clause", "a rule must rest on a clause that can be quoted", "add it under clauses"),
    "P408": Code("parameter does not cover", "a value without an entry would stop the run", "add it, or an else"),
    # --- cases --------------------------------------------------------------------------------------------
    "P601": Code(
        "excuse without a reason",
        "what no case covers must be known to be right some other way",
        "write # evaluator: uncovered because …",
    ),
    "P602": Code(
        "excuse for what is covered", "it would hide what is not covered later", "remove the comment", "warning"
    ),
    "P603": Code("case not written", "a case that somebody wrote is never overwritten", "name another --out"),
    # --- lints --------------------------------------------------------------------------------------------
    "P501": Code("measure nobody reads", "what nothing reads changes no result", "use it, or remove it", "warning"),
    "P502": Code("parameter nobody reads", "changing it would change no result", "use it, or remove it", "warning"),
    "P503": Code(
        "clause nothing rests on",
        "a sentence of the source may have been forgotten",
        "name it where its rule is, or remove it",
        "warning",
    ),
    "P504": Code(
        "points without clause",
        "whoever asks why must be shown a sentence, or told that there is none",
        "add clause: and its name, or note: and why",
        "warning",
    ),
    "P505": Code(
        "gap between bands",
        "what lies in the gap gets what is meant for others, or nothing",
        "let one band begin where the other ends",
        "warning",
    ),
    "P506": Code(
        "rules that overlap",
        "where two rules hold, their order decides, or the run stops",
        "make the rules exclude each other",
        "warning",
    ),
    "P507": Code(
        "level nothing gives",
        "a level nobody can reach is a slip, in the level or in the rules",
        "add a rule that gives it, or remove the level",
        "warning",
    ),
    "P508": Code(
        "rule that never decides",
        "what it says is never heard",
        "put it further up, narrow what comes before it, or remove it",
        "warning",
    ),
    "P509": Code(
        "condition that is always the same",
        "it tells nobody apart",
        "compare with a value it can have on either side, or remove it",
        "warning",
    ),
    "P510": Code("quota that cannot be met", "nobody, or not so many, can be chosen", "mend take or among", "warning"),
    "P511": Code(
        "quotient that can divide by zero",
        "an unknown value stops the run, or makes a condition fail in silence",
        "say what it is then: case when … = 0 then … else … end",
        "warning",
    ),
    "P512": Code(
        "unknown taken for no",
        "where the cell is empty the condition is not met, whichever way it is put",
        "say what an empty cell means: coalesce(…), or … is null",
        "warning",
    ),
    "P513": Code("test for what is never unknown", "the test has one answer", "remove it", "warning"),
    "P514": Code(
        "values do not reach so far",
        "an argument without an entry stops the run",
        "add an entry, or an else",
        "warning",
    ),
    "P515": Code(
        "year left out",
        "in that year the rule says nothing",
        "let one version end the day before the next begins",
        "warning",
    ),
    "P516": Code("cap below one award", "no record can ever count in full", "mend the points, or the cap", "warning"),
    "P517": Code(
        "ignored without a reason",
        "whoever reads it later must know why",
        "write # evaluator: ignore P501 because …",
    ),
    "P518": Code("nothing to ignore", "what it was written for is gone", "remove the comment", "warning"),
    # --- data ---------------------------------------------------------------------------------------------
    "D101": Code("no file", "without its records everybody would score nothing", "add the file or sheet"),
    "D102": Code("file cannot be read", "a data set is read whole or not at all", "save it again, or convert it"),
    "D103": Code(
        "no such column",
        "the field has nowhere to come from",
        "rename the column, or add the heading to columns",
    ),
    "D104": Code("heading twice", "of two columns only one could count", "rename or remove one of them"),
    "D105": Code(
        "file belongs to no table",
        "its rows are not part of the assessment",
        "rename it, or remove it",
        "warning",
    ),
    "D106": Code(
        "data does not reach so far",
        "what is counted over days without records would come out too low",
        "add the records, and say under covers in data.yaml which days the folder covers",
    ),
    "D201": Code(
        "row rejected",
        "a row that cannot be read is never skipped in silence",
        "mend the cell, or run with --accept-rejects",
    ),
    "D202": Code(
        "everybody would be filled in",
        "when every expected row of one is missing, a sheet is missing, not the people",
        "add the sheet with its rows",
    ),
    "D203": Code("two rows for one argument", "an argument must lead to one value", "remove one of the rows"),
    "D301": Code(
        "not a run folder",
        "results are read from what a run wrote",
        "name a folder an earlier run wrote",
    ),
    "D302": Code("run folder of another year", "history must come before the year assessed", "leave this folder out"),
    "D303": Code("two results for one year", "history must be unambiguous", "name one run folder a year"),
    "D304": Code(
        "runs out of order",
        "the runs of a year follow each other: draft, published, final",
        "name the last run of the same pack and year with --supersedes",
    ),
    # --- appeals ------------------------------------------------------------------------------------------
    "D401": Code("no appeal to read", "an appeal is a YAML file of one case", "name the file, or the folder of cases"),
    "D402": Code(
        "appeal out of time",
        "the rules say until when a result may be appealed",
        "record it as rejected, or leave it out",
    ),
    "D403": Code(
        "claim on nothing",
        "what is amended must be told exactly",
        "name a table, a row by its key, and cells by field or heading",
    ),
    "D404": Code("claim that does not fit", "what is amended is read as any other cell", "write it as a sheet would"),
    "D405": Code("claims against each other", "a record can be amended in one way only", "leave one of the two"),
    "D406": Code("appellant unknown", "a case is somebody's", "give the key or name of a subject, or kind:key"),
    "D407": Code("case not decided", "a letter tells a decision", "write status, reviewer, reason and decided_on"),
    # --- run ----------------------------------------------------------------------------------------------
    "R101": Code("no rule holds", "every subject must get exactly one value", "add a rule, or otherwise"),
    "R102": Code("two rules disagree", "every subject must get exactly one value", "make the rules exclude each other"),
    "R103": Code(
        "value unknown",
        "a score or level cannot rest on a missing value",
        "fill the missing cell, or say optional: true",
    ),
    "R104": Code(
        "tie at the edge",
        "the rule does not say which of them is chosen",
        "add an order_by, or ties: include or exclude",
    ),
    "R105": Code(
        "control total missed",
        "the published total and the data disagree",
        "mend the data, or the line under reconcile",
    ),
    "R106": Code("no value for an argument", "the table of values has no entry for it", "add the entry, or an else"),
    "R107": Code(
        "take differs in a group",
        "a quota needs one number for its group",
        "use values that are the same for the group",
    ),
    "R108": Code("number too large", "the exact result does not fit", "check the data for a slip of a digit"),
    "R109": Code(
        "folder exists", "a run never overwrites another's result", "name another --out, or remove the folder"
    ),
    "R110": Code("nobody to assess", "a run without subjects has no result", "check the files of the kind"),
    "R111": Code("pack not in force", "its rules are not those of that year", "use the pack of that year"),
    "R112": Code("no term", "a term must be known to be counted over", "add it to terms in pack.yaml"),
    "R201": Code("no such subject", "an explanation is of one subject", "give its key or its name as in the roster"),
    "R202": Code("several subjects", "an explanation is of one subject", "put the kind before it: kind:key"),
    "R203": Code("no such roster", "the run folder has only the rosters of its pack", "use one of them"),
    "R204": Code("no such place", "only some places come with the package", "list them with evaluator demo --list"),
    "R208": Code(
        "letters need a library", "documents for Word are made by python-docx", "pip install 'evaluator[letters]'"
    ),
    "R205": Code(
        "the solver is not installed", "what it would take is searched by OR-Tools", "pip install 'evaluator[solve]'"
    ),
    "R206": Code("no such verdict or value", "only what the rules can come to can be asked for", "use one of them"),
    "R207": Code("two kinds", "subjects are put side by side within their kind", "name two of one kind"),
    "R211": Code(
        "nothing in common", "runs are compared in the kinds they both have", "name two runs that share a kind"
    ),
    "R212": Code("nothing of that name to fail on", "a name that is none would never fail", "use a name of these runs"),
    "R213": Code("no such field to group by", "totals are grouped by a field that both packs have", "use one of them"),
    "R214": Code(
        "no one threshold",
        "what is tried must be told exactly",
        "name a parameter, or the value a rule compares: verdict:level:value",
    ),
    "R215": Code("not a range or quota", "only what is understood can be tried", "write it as docs/impact.md says"),
    "R221": Code(
        "data not kept", "a run is made again from the files it was made from", "name their folder with --data"
    ),
    "R222": Code("earlier run not found", "a run is made again on the runs it rests on", "name its folder"),
    "R223": Code(
        "manifest as no run writes it",
        "it says what everything else in the folder must be",
        "take the folder from a copy that nobody has changed",
    ),
    "R224": Code(
        "table missing or damaged",
        "everything about a run is read from the tables it wrote",
        "take the folder from a copy; evaluator verify says what else was changed",
    ),
    "R225": Code(
        "earlier run changed",
        "records of the run before are taken over as it wrote them, and would carry the change on",
        "run again with --afresh, and take that folder from a copy",
    ),
    "R231": Code("no such kind", "queries and graphs are of the kinds of a pack", "use one of them"),
    "R301": Code("no year to prove", "rules may differ from year to year", "name one with --year"),
    # --- engine and environment ---------------------------------------------------------------------------
    "E101": Code(
        "the rule engine is missing or broken",
        "verdicts are concluded by durable-rules",
        "install a C compiler, then: CPPFLAGS=-DPyEval_CallObject=PyObject_CallObject "
        "pip install --force-reinstall --no-cache-dir durable-rules",
    ),
    "E102": Code("the rule engine failed", "no verdict is guessed", "run again; if it stays, report it with the pack"),
    "E104": Code("awards do not sum", "an explanation must say what the run said", "report it with the run folder"),
    "E105": Code(
        "Spark is missing or does not start",
        "with --engine spark a run is computed there",
        "pip install 'evaluator[spark]', and install Java 17 or later",
    ),
    "E106": Code(
        "memory or disk is not enough",
        "what does not fit into memory is spilled to the disk, and neither has room",
        "allow more with --memory, set TMPDIR to a larger disk, or use --engine spark",
    ),
    "E103": Code("the two judges disagree", "no verdict is guessed", "report it with the pack"),
}
