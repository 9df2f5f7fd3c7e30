"""Places whose rules and sheets come with the package, to look at and to start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import evaluator
from evaluator.diagnostics import Stop, closest
from evaluator.pack.definitions import Pack
from evaluator.report.text import as_table


@dataclass(frozen=True, slots=True)
class Place:
    """A place: the folder of its rules, and of its sheets for each year."""

    name: str
    rules: Path
    sheets: dict[int, Path]


def places() -> dict[str, Place]:
    """Return the places that come with the package, by name."""
    found = {}
    rules, fixtures = _folder("rules"), _folder("fixtures")
    for pack in sorted(rules.glob("*/pack.yaml")):
        years = {int(sheets.name): sheets for sheets in sorted((fixtures / pack.parent.name).glob("[0-9]*"))}
        if years:
            found[pack.parent.name] = Place(pack.parent.name, pack.parent, years)
    return found


def _folder(name: str) -> Path:
    """Return a folder that an installed package holds, and a checkout beside it."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parents[1] / name


def place_named(name: str) -> Place:
    """Return a place; raise Stop where there is none such."""
    known = places()
    if name not in known:
        near = closest(name, known)
        raise Stop.of("R204", f'there is no place "{name}"', fix=f"write {near}" if near else None)
    return known[name]


def run_place(
    place: Place, out: Path, language: str | None, progress: Callable[[str], None]
) -> tuple[Pack, dict[int, Path]]:
    """Assess every year of a place, each with those before it; return its pack and the run folders by year."""
    pack = evaluator.load_pack(place.rules)
    pack = replace(pack, shown_in=language or pack.shown_in)
    folders: dict[int, Path] = {}
    for year, sheets in place.sheets.items():
        before = list(folders.values()) if pack.gap is not None else []
        folders[year] = evaluator.run(pack, sheets, year, out / f"{place.name}-{year}", before, progress=progress)
    return pack, folders


def places_table(language: str | None) -> str:
    """List the places with what their packs judge and how many published figures their runs reach."""
    rows = []
    for place in places().values():
        pack = evaluator.load_pack(place.rules)
        shown = replace(pack, shown_in=language or pack.shown_in)
        title = shown.title.get(shown.shown_in) or next(iter(shown.title.values()))
        years = ", ".join(map(str, place.sheets))
        kinds = ", ".join(shown.label(kind) for kind in shown.kinds)
        rows.append([place.name, title, years, kinds, str(len(pack.clauses)), str(len(pack.controls))])
    headings = ["place", "rules", "years", "judged", "clauses", "figures"]
    return as_table(headings, rows, [False, False, False, False, True, True])
