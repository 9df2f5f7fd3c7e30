"""The pages of the diagnostics: each code as a case fires it, and what its author would rather have written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

import yaml

from evaluator.diagnostics import CODES

CASES = Path(__file__).parent / "cases"
BLOCK = re.compile(r"^(`{3,})(\w+)([^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
FENCE = "```"


@dataclass(frozen=True)
class Preferred:
    """A case that fires a code, and one of its files with and without what fires it."""

    case: Path
    file: str
    avoid: str  # what stands in the file
    before: str  # the whole lines it stands on
    after: str

    def mended(self, text: str) -> str:
        """Return a case document with the better text in place of the other."""
        return text.replace(self.before, self.after, 1)


@cache
def _preferences() -> dict[str, dict[str, str]]:
    made: dict[str, dict[str, str]] = yaml.safe_load((CASES / "prefer.yaml").read_text(encoding="utf-8"))
    return made


def preferred_codes() -> list[str]:
    """Return the codes for which there is something better to write."""
    return sorted(_preferences())


@cache
def case_of(code: str) -> Path | None:
    """Return the smallest case that is named after a code, or else of those that fire it."""
    chosen = _preferences().get(code, {}).get("case")
    if chosen:
        return CASES / "bad" / f"{chosen}.md"
    named = list(CASES.glob(f"bad/{code.lower()}-*.md"))
    return min(named or _fired().get(code, []), key=lambda path: (path.stat().st_size, path), default=None)


@cache
def _fired() -> dict[str, list[Path]]:
    """Return the cases in which each code is printed."""
    found: dict[str, list[Path]] = {}
    for path in sorted(CASES.glob("*/*.md")):
        for code in set(re.findall(r"(?:error|warning)\[([A-Z]\d+)\]:", path.read_text(encoding="utf-8"))):
            found.setdefault(code, []).append(path)
    return found


def preferred(code: str) -> Preferred | None:
    """Return what to write instead."""
    case, wanted = case_of(code), _preferences().get(code)
    if wanted is None or case is None:
        return None
    avoid, prefer = wanted["avoid"], wanted["prefer"]
    for block in BLOCK.finditer(text := case.read_text(encoding="utf-8")):
        if block[2] != "console" and avoid in block[4]:
            start = text.rindex("\n", 0, text.index(avoid, block.start(4))) + 1
            end = text.index("\n", text.index(avoid, start) + len(avoid)) + 1
            before = text[start:end]
            after = before.replace(avoid, prefer, 1)
            file = re.search(r"file=(\S+)", block[3])
            assert file is not None
            return Preferred(case, file[1], avoid, before, after if after.strip() else "")
    raise AssertionError(f"{case.name} does not hold {avoid!r}")


def shown_as(code: str) -> str | None:
    """Return how a code is printed in its case, at what is to be avoided if that is known."""
    case, wanted = case_of(code), preferred(code)
    if case is None:
        return None
    found = []
    for block in BLOCK.finditer(case.read_text(encoding="utf-8")):
        if block[2] == "console":
            for said in re.split(r"^(?=\S)", block[4], flags=re.MULTILINE):
                if f"[{code}]: " in said.partition("\n")[0]:
                    found.append(said.rstrip())
    lines = wanted.before.splitlines() if wanted is not None else []
    here = [said for said in found if any(line.strip() and line.strip() in said for line in lines)]
    return next(iter([*here, *found]), None)


def page(code: str) -> str:
    """Return the page about a code."""
    about = CODES[code]
    title = about.title[0].upper() + about.title[1:]
    parts = [f"# {code}"]
    kind = "An error" if about.severity == "error" else "A warning"
    parts.append(f"**{title}.** {kind}. [All diagnostics](../diagnostics.md#{code.lower()})")
    parts.append(f"**Why**: {about.why}.\n\n**Fix**: {with_code(about.fix)}.")
    wanted, said = preferred(code), shown_as(code)
    if wanted is not None:
        language = Path(wanted.file).suffix[1:]
        parts.append(f"## Avoid\n\nIn `{wanted.file}`:\n\n{_fenced(language, dedent(wanted.before))}")
    if said is not None:
        heading = "It says:" if wanted is not None else "## Example"
        parts.append(f"{heading}\n\n{_fenced('text', said)}")
    if wanted is not None:
        parts.append(f"## Prefer\n\n{_fenced(language, dedent(wanted.after)) if wanted.after else 'Leave it out.'}")
    return "\n\n".join(parts) + "\n"


def with_code(text: str) -> str:
    """Set advice that is a command as code."""
    return f"`{text}`" if "=-D" in text else text


def _fenced(language: str, text: str) -> str:
    return f"{FENCE}{language}\n{text.rstrip()}\n{FENCE}"
