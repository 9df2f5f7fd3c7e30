"""Strict YAML: scalars, lists and mappings that know where they stand.

Only PyYAML's parser is used: it says where everything stands and converts nothing. What YAML would read
differently from what the author meant is refused, with the line to write instead; a line in error is mended
for the parser alone, so that the rest of the file is checked as well.

    lines    the file's lines, legible, as written and as mended
    tree     the parser's events become Text, List and Map (places)
    traps    expressions that YAML misreads, and how to write them
    mending  what a syntax error means, and the line the parser goes on with
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from evaluator.diagnostics import Problems
from evaluator.pack.lines import Lines, decoded
from evaluator.pack.mending import mend
from evaluator.pack.places import List, Map, Text
from evaluator.pack.traps import EXPRESSIONS
from evaluator.pack.tree import Tree

__all__ = ["EXPRESSIONS", "List", "Map", "Text", "read_text", "read_yaml"]

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MOST_MENDED = 50
"""How many lines in error are mended to go on; each costs another parse."""


def read_yaml(path: Path, shown: str, problems: Problems) -> Map | None:
    """Return the mapping a file holds, or None after noting everything that is wrong with it."""
    found = Problems()
    tree = None
    if (text := decoded(path, shown, found)) is not None:
        tree = _read(Lines(shown, text, found, LOADER))
    problems.extend(found)
    return None if found.has_errors else tree


def read_text(text: str, shown: str, problems: Problems) -> Map | None:
    """Return the mapping a text holds, which is no file of the pack's author."""
    return _read(Lines(shown, text, problems, LOADER))


def _read(lines: Lines) -> Map | None:
    if not lines.are_legible():
        return None
    for _ in range(MOST_MENDED):
        try:
            return Tree(lines).build()
        except yaml.MarkedYAMLError as wrong:
            if not mend(lines, wrong):
                return None
        except (yaml.YAMLError, ValueError, OverflowError) as wrong:
            # the parser in Python lets chr() fail on an escape beyond Unicode
            lines.problems.add("P103", f"not YAML: {wrong}", lines.span(0, 0))
            return None
    return None
