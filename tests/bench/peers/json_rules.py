"""json-rules-engine on Node: json_rules.mjs decides; counts and ranks are by DuckDB, points by plain Python.

NODE_FOLDER of the environment names a folder with a copy of package.json and json_rules.mjs, after `npm ci`.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from peers.job import CONCLUDED, FEWEST, GRADES, MOST_ABSENCES, STARS, conclude, scored, table, write

FACTS = ["id", "total", "activities", "absence", "vetoed", "last_grade"]


def job(data: Path, out: Path) -> None:
    """Do the whole job."""
    members = scored(data)
    with tempfile.TemporaryDirectory() as folder:
        rules, asked, answers = (Path(folder, f"{name}.json") for name in ("rules", "members", "answers"))
        marks = {"fewest": FEWEST, "mostAbsences": MOST_ABSENCES, "grades": GRADES, "stars": STARS}
        rules.write_text(json.dumps(marks), encoding="utf-8")
        with asked.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps({name: member[name] for name in FACTS}) + "\n" for member in members)
        script = Path(os.environ["NODE_FOLDER"], "json_rules.mjs")
        subprocess.run(["node", script, rules, asked, answers], check=True)
        with answers.open(encoding="utf-8") as lines:
            for member, line in zip(members, lines, strict=True):
                answer = json.loads(line)
                conclude(member, answer["grade"], answer["star"], answer["exit"])
    write(table(CONCLUDED, members), out)
