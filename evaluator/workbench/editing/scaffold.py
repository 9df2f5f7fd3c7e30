"""A pack begun: a small one that passes its cases, with sample data, whose comments teach the language."""

from __future__ import annotations

import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from tempfile import mkdtemp

from evaluator.diagnostics import Problems
from evaluator.pack.model import PackFile
from evaluator.pack.reading import read_model
from evaluator.pack.source import read_text
from evaluator.report.schemas import write_schemas
from evaluator.workbench.editing.formatting import formatted
from evaluator.workbench.editing.saving import saving

SAMPLE_YEAR = 2024
_PLACE, _NAME = "@PLACE@", "@NAME@"
_HAN = re.compile("[\u3400-\u9fff]")


def begin_pack(place: str, out: Path, language: str | None = None) -> Path:
    """Write a pack named after a place into a folder of that name; return the folder.

    Args:
        place: the name of the pack and its folder.
        out: the folder it is put into.
        language: zh or en; left out, that of the name.

    Raises Stop where the name is none, or its folder is there already; nothing is written then.
    """
    problems = Problems()
    name = _name_of(place, problems)
    folder = out / place
    if not problems.has_errors and (folder.exists() or folder.is_symlink()):
        problems.add("P117", f"{folder} is there already")
    problems.stop_on_errors()
    with saving(folder):
        _write(place, name, language or _language_of(place), folder)
    return folder


def _write(place: str, name: str, language: str, folder: Path) -> None:
    """Write the files beside their place, then move them there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(mkdtemp(prefix=".evaluator-", dir=folder.parent))
    try:
        with as_file(files("evaluator.workbench.editing") / "begun" / language) as begun:
            shutil.copytree(begun, made, dirs_exist_ok=True)
        for path in made.rglob("*.yaml"):
            text = path.read_text(encoding="utf-8").replace(_PLACE, place).replace(_NAME, name)
            path.write_text(formatted(text), encoding="utf-8")
        write_schemas(made / "schema")
        made.chmod(0o755)  # as any folder; that of a temporary one is for its owner alone
        made.rename(folder)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise


def sample_data(folder: Path) -> Path:
    """Return the sample data of a pack that was begun."""
    return folder / "data" / str(SAMPLE_YEAR)


def _language_of(place: str) -> str:
    return "zh" if _HAN.search(place) else "en"


def _name_of(place: str, problems: Problems) -> str:
    """Return a place as the name of a pack, as it is written in YAML; note what is none."""
    for written in (place, f'"{place}"'):  # a word that means something else to YAML is quoted
        if not place.isdecimal() or written != place:
            tree = read_text(f"pack: {written}\ntitle: {{en: x}}\nlanguage: en\n", "pack.yaml", found := Problems())
            read = read_model(PackFile, tree, found) if tree is not None else None
            if read is not None and not found.has_errors and read.pack == place:
                return written
    near = re.sub(r"[\W_]+", "-", place).strip("-")
    fix = f"write {near}" if near else "write letters of any script, digits, _ and -"
    problems.add("P204", f'"{place}" is no name for a pack and its folder', fix=fix)
    return place
