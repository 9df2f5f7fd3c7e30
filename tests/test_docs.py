"""The documents are run: their commands, their examples, the parts made from the code, their links.

In `README.md` and `docs/**/*.md`

- a `console` block holds commands after `$ `, each with what it prints: standard output, standard error, then
  `exit N` where that is not 0; a line `…` stands for any lines. Blocks of a document share a folder, in which
  `rules/` and `fixtures/` lie. `make demo` does the runs of its recipe; `make test` is only looked for.
- a block with `file=` is a file, written there; one with `into=` is merged into a file of a pack, which is then
  loaded: mappings are joined, lists are continued.
- what stands between `<!-- generated: name -->` and `<!-- end -->` is made by doc_parts.py.

The pages in `docs/diagnostics/` are made whole, by code_pages.py, from the cases that fire each code.

EVALUATOR_UPDATE_DOCS=1 rewrites all of it; read it before it is committed.
"""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import code_pages
import pytest
import yaml
from doc_parts import PARTS, anchor
from test_cases import printed, read_case, write_files

from evaluator.cli import main
from evaluator.diagnostics import CODES, Problems
from evaluator.pack.check import load_pack
from evaluator.pack.source import read_yaml

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "diagnostics"
DOCUMENTS = [
    ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CHANGELOG.md",
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent != PAGES),
]  # fmt: skip
UPDATE = bool(os.environ.get("EVALUATOR_UPDATE_DOCS"))
BLOCK = re.compile(r"^(`{3,})(\w+)([^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^(`{3,}).*?^\1$", re.MULTILINE | re.DOTALL)
ANY_LINES = "…"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- what a document should be ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_document_is_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures", ignore=shutil.ignore_patterns("make", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    written = path.read_text(encoding="utf-8")
    fresh = BLOCK.sub(fresh_block, GENERATED.sub(fresh_part, written))
    if UPDATE:
        path.write_text(fresh, encoding="utf-8")
    else:
        assert written == fresh, "EVALUATOR_UPDATE_DOCS=1 rewrites it"


def fresh_part(found: re.Match[str]) -> str:
    return f"{found[1]}\n{PARTS[found[2]]()}\n\n{found[4]}"


def fresh_block(found: re.Match[str]) -> str:
    fence, language, options, body = found.groups()
    place = dict(option.split("=", 1) for option in options.split() if "=" in option)
    if language == "console":
        return f"{fence}console\n{fresh_console(body)}{fence}"
    if "file" in place:
        file = Path(place["file"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(body, encoding="utf-8")
    elif "into" in place:
        merge_into(Path(place["into"]), body)
    return found[0]


# --- commands ---------------------------------------------------------------------------------------------


def fresh_console(body: str) -> str:
    """Run the commands of a console block and return the block as it should be."""
    assert body.startswith("$ "), f"no command in:\n{body}"
    made = []
    for part in re.split(r"^(?=\$ )", body, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        printed = run_command(command[2:])
        made.append(f"{command}\n{shown if printed is None or is_like(shown, printed) else elided(shown, printed)}")
    return "".join(made)


def run_command(command: str) -> str | None:
    """Return what a command prints; None for those that are only looked for."""
    words = shlex.split(command)
    if words[0] == "make":
        made_by = re.search(
            rf"^{words[1]}:.*\n((?:\t.*\n)*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
        )
        assert made_by, f"the Makefile has no target {words[1]}"
        for line in re.findall(r"^\t@?\$\(BIN\)/(evaluator .*)$", made_by[1], re.MULTILINE):
            printed, code = run_here(shlex.split(line))
            assert code == 0, printed
        return None
    if words[0] == "evaluator" and not set(words) & {"|", ">", "&&"}:
        printed, code = run_here(words)
    else:
        ended = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", check=False)
        printed, code = ended.stdout + ended.stderr, ended.returncode
    printed += "" if printed.endswith("\n") or not printed else "\n"
    return printed + (f"exit {code}\n" if code else "")


def run_here(words: list[str]) -> tuple[str, int]:
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, words
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    return out.getvalue() + err.getvalue(), int(ended.value.code or 0)


def is_like(shown: str, printed: str) -> bool:
    """Whether this was printed, where … stands for any lines."""
    pattern = "".join("(.*\n)*" if line == ANY_LINES else re.escape(line) + "\n" for line in shown.splitlines())
    return re.fullmatch(pattern, printed) is not None


def elided(shown: str, printed: str) -> str:
    """Return what was printed, shortened in the middle as it was before."""
    before, lines = shown.splitlines(), printed.splitlines()
    if before.count(ANY_LINES) != 1 or len(before) > len(lines):
        return printed
    at = before.index(ANY_LINES)
    last = len(before) - at - 1
    return "".join(f"{line}\n" for line in [*lines[:at], ANY_LINES, *lines[len(lines) - last :]])


@pytest.mark.parametrize(
    ("shown", "expected"), [("a\nb\n", True), ("a\n…\n", True), ("…\nb\n", True), ("a\n…\nb\n", True), ("a\n", False)]
)
def test_dots_stand_for_any_lines(shown: str, expected: bool) -> None:
    assert is_like(shown, "a\nb\n") is expected


def test_what_is_shortened_stays_shortened() -> None:
    assert elided("a\n…\nz\n", "1\n2\n3\n4\n") == "1\n…\n4\n"


# --- examples of the pack language ------------------------------------------------------------------------


def merge_into(file: Path, body: str) -> None:
    """Add an example to a file of a pack; the example must be legible as it stands, the pack be fine with it."""
    alone = file.with_name("example.txt")
    alone.write_text(body, encoding="utf-8")
    problems = Problems()
    read_yaml(alone, file.as_posix(), problems)
    assert not list(problems), "\n".join([body, *map(str, problems)])
    alone.unlink()
    whole = yaml.compose(file.read_text(encoding="utf-8"))
    assert isinstance(whole, yaml.MappingNode)
    added = yaml.compose(body)
    assert isinstance(added, yaml.MappingNode)
    join(whole, added)
    file.write_text(yaml.serialize(whole, allow_unicode=True, width=10_000), encoding="utf-8")
    load_pack(file.parent)


def join(whole: yaml.MappingNode, added: yaml.MappingNode) -> None:
    known = {key.value: value for key, value in whole.value}
    for key, value in added.value:
        here = known.get(key.value)
        if isinstance(here, yaml.MappingNode) and isinstance(value, yaml.MappingNode):
            join(here, value)
        elif isinstance(here, yaml.SequenceNode) and isinstance(value, yaml.SequenceNode):
            here.value += value.value
        else:
            assert here is None, f"{key.value} is in the pack already"
            whole.value.append((key, value))


# --- what else must hold ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted(PAGES.glob("*.md"))], ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    text = FENCED.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"https?://", target):
            continue
        file, _, wanted = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        assert other.exists(), f"{target} does not exist"
        assert other.is_relative_to(ROOT), f"{target} leaves the project"
        if wanted:
            headings = re.findall(r"^#+ (.*)$", FENCED.sub("", other.read_text(encoding="utf-8")), re.MULTILINE)
            assert wanted in map(anchor, headings), f"{target}: no such heading"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_no_path_of_one_machine(path: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:work|tmp|root|home|Users|var)/\S*", path.read_text(encoding="utf-8"))


def test_every_code_has_an_entry() -> None:
    text = (ROOT / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (\w+)$", text, re.MULTILINE) == sorted(
        CODES, key=lambda code: ("PDRE".index(code[0]), code)
    )


def test_every_code_has_a_page() -> None:
    fresh = {f"{code}.md": code_pages.page(code) for code in CODES}
    if UPDATE:
        PAGES.mkdir(exist_ok=True)
        for path in PAGES.glob("*.md"):
            path.unlink()
        for name, text in fresh.items():
            (PAGES / name).write_text(text, encoding="utf-8")
    assert {path.name: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")} == fresh


@pytest.mark.parametrize("code", code_pages.preferred_codes())
def test_what_is_to_be_avoided_fires_its_code_and_what_is_preferred_does_not(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = code_pages.preferred(code)
    assert wanted is not None
    fired: list[list[str]] = []
    case = read_case(wanted.case)
    for name in ("avoid", "prefer"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        mended = [(options, wanted.mended(body)) for options, body in case.files]
        write_files(mended if name == "prefer" else case.files)
        said = "".join(printed(case.text[start:end], False) for start, end in case.consoles)
        fired.append(re.findall(r"(?:error|warning)\[([A-Z]\d+)\]:", said))
    before, after = fired
    assert after.count(code) < before.count(code)
    is_lint = code.startswith("P5")
    assert {other for other in after if is_lint or not other.startswith("P5")} <= set(before), (
        "nothing else is wrong then"
    )


def test_every_code_of_a_pack_has_something_better_to_write() -> None:
    without = {code for code in CODES if code.startswith("P") and code < "P6"} - set(code_pages.preferred_codes())
    # a file or folder that is not there, or is there already; and one that is not text
    assert without <= {"P101", "P102", "P117"}


def test_every_document_is_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    todo = [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for target in LINK.findall(FENCED.sub("", path.read_text(encoding="utf-8"))):
            other = (path.parent / target.partition("#")[0]).resolve()
            if other.suffix == ".md" and other.exists():
                todo.append(other)
    assert {*DOCUMENTS, *PAGES.glob("*.md")} - seen == set()
