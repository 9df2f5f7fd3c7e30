"""What the commands print: how a run went, and its rosters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluator.data.history import MANIFEST
from evaluator.diagnostics import Stop, closest
from evaluator.pack.definitions import Pack, RosterDef
from evaluator.report.reopen import PastRun, reopen
from evaluator.report.roster import read_roster, roster_csv, roster_json, roster_text, to_json
from evaluator.report.text import as_table
from evaluator.report.words import say


def run_summary(folder: Path, pack: Pack) -> str:
    """Say what a run did: who was assessed, what was left out, totals beside the published ones, where it lies."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    counts = manifest["counts"]
    lines = [f"{pack.title.get(pack.shown_in) or next(iter(pack.title.values()))} · {manifest['year']}"]
    lines.append(", ".join(f"{pack.label(kind)} {count}" for kind, count in counts["subjects"].items()))
    for name, count in counts["outside_the_year"].items():
        lines.append(say(pack, "outside", pack.label(name), count))
    for name, count in counts["filled_in"].items():
        lines.append(say(pack, "filled in", pack.label(name), count))
    for name, count in counts["unknown_conditions"].items():
        lines.append(say(pack, "unknown conditions", name, count))
    for what in ("applied", "open"):
        if manifest["appeals"][what]:
            lines.append(say(pack, f"appeals {what}", ", ".join(manifest["appeals"][what])))
    if counts["rejects"]:
        lines.append(say(pack, "rejects", counts["rejects"]))
    if manifest["reconcile"]:
        lines += ["", reconcile_table(pack, manifest["reconcile"])]
    lines += ["", say(pack, "lies", folder)]
    return "\n".join(lines)


def reconcile_table(pack: Pack, controls: list[dict[str, Any]]) -> str:
    """Return computed beside published totals."""
    rows = []
    for control in controls:
        published = say(pack, "at least", control["published"]) if control["at_least"] else control["published"]
        missed = f"{say(pack, 'differs')}: {control['differs']}" if control["differs"] else say(pack, "as amended")
        verdict = say(pack, "agrees") if control["is_met"] else missed
        rows.append([control["figure"], control["computed"], published, verdict])
    headings = [say(pack, word) for word in ("figure", "computed", "published")] + [""]
    return as_table(headings, rows, [False, True, True, False])


def rosters_text(folder: Path, wanted: str | None, form: str, language: str | None = None) -> str:
    """Return the rosters of a run as tables, CSV or JSON."""
    with reopen(folder, language) as run:
        chosen = _chosen(run, wanted)
        if form == "json":
            made = [
                roster_json(read_roster(run.state.db, run.pack, r, run.roster_table(r.name)), run.rejects)
                for r in chosen
            ]
            return to_json(made) + "\n"
        if form == "csv":
            parts = ["\n".join(roster_csv(run.state.db, run.pack, r, run.roster_table(r.name))) for r in chosen]
            return "\n\n".join(parts) + "\n"
        parts = []
        for roster in chosen:
            read = read_roster(run.state.db, run.pack, roster, run.roster_table(roster.name))
            parts.append(roster_text(run.pack, read, run.rejects))
        return "\n\n\n".join(parts) + "\n"


def _chosen(run: PastRun, wanted: str | None) -> list[RosterDef]:
    known = [roster for kind in run.pack.kinds.values() for roster in kind.rosters]
    if wanted is None:
        return known
    chosen = [roster for roster in known if wanted in (roster.name, roster.id)]
    if not chosen:
        names = [roster.name for roster in known]
        near = closest(wanted, names)
        raise Stop.of("R203", f'{run.folder} has no roster "{wanted}"', fix=f"use {near or ', '.join(names)}")
    return chosen
