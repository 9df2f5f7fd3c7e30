"""What a rule author writes with: one style that changes no meaning, packs begun, queries, graphs, and watching."""

import html
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import combinations, takewhile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sqlglot
import yaml
from conftest import DATA, ROOT, rows_of, write_pack
from sqlglot import exp
from wcwidth import wcswidth

from evaluator import load_pack, run
from evaluator.cli import main
from evaluator.diagnostics import Span, Stop
from evaluator.engine.plan import Graph
from evaluator.pack.definitions import Pack
from evaluator.sql.duck import DuckDatabase
from evaluator.workbench.cases.run import run_cases
from evaluator.workbench.editing import scaffold
from evaluator.workbench.editing.compiled import Statement, compiled, compiled_text
from evaluator.workbench.editing.drawing import drawn
from evaluator.workbench.editing.formatting import format_files, formatted, meaning
from evaluator.workbench.editing.graph import key_of, mermaid, reading_of
from evaluator.workbench.editing.scaffold import SAMPLE_YEAR, begin_pack, sample_data
from evaluator.workbench.editing.watching import year_of

RULES = ROOT / "rules"
FILES = sorted(RULES.rglob("*.yaml"))

# --- fmt --------------------------------------------------------------------------------------------------


def disturbed(text: str, rng: random.Random) -> str:
    """Return a text that says the same in another layout, as a hurried hand leaves it."""
    has_deeper_text = any(" " * 20 in line for line in text.split("\n"))  # which is part of a folded text
    scale = 1 if has_deeper_text else rng.choice([1, 2, 3])
    spaces = _spaces_between_tokens(text)
    made, at = [], 0
    for place in spaces:
        made.append(text[at:place])
        made.append(" " * rng.choice([0, 0, 0, 1, 3]))
        at = place
    lines = "".join([*made, text[at:]]).split("\n")
    held = _held_lines("\n".join(lines))
    out = []
    for number, line in enumerate(lines):
        indent, dashes, rest = re.match(r"( *)((?:- )*)(.*)", line).groups()  # type: ignore[union-attr]
        if number in held and number - 1 in held:  # a sign of an expression, which begins a line
            dashes, rest = "", dashes + rest
        moved = indent * scale + dashes.replace("- ", "-" + " " * (2 * scale - 1)) + rest
        out.append(moved + ("" if number in held or not line else " " * rng.choice([0, 0, 2])))
        if number not in held and number + 1 not in held and number < len(lines) - 2 and out[-1].strip():
            if rng.random() < 0.05 and not lines[number + 1]:
                out += [""] * rng.choice([1, 2])
    return "\n".join(out) + "\n" * rng.choice([0, 0, 2]) if out[-1] == "" else "\n".join(out)


def _spaces_between_tokens(text: str) -> list[int]:
    """Return places inside lines at which a space means nothing: beside signs, where there is one or could be."""
    tokens = [t for t in yaml.scan(text, Loader=yaml.SafeLoader) if t.start_mark.index != t.end_mark.index]
    found = []
    for before, after in zip(tokens, tokens[1:], strict=False):
        is_same_line = before.end_mark.line == after.start_mark.line
        is_text = isinstance(before, yaml.ScalarToken) and before.style in ("|", ">")
        if is_same_line and not is_text and not isinstance(before, yaml.BlockEntryToken | yaml.BlockEndToken):
            if not isinstance(after, yaml.ValueToken) or not isinstance(before, yaml.ScalarToken):
                found.append(after.start_mark.index)
    return found


def _held_lines(text: str) -> set[int]:
    """Return the lines on which a scalar goes on."""
    found: set[int] = set()
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            found |= set(range(token.start_mark.line, token.end_mark.line))
    return found


def without_padding(text: str) -> str:
    """Return a text in which no values or comments share a column on purpose."""
    return re.sub(r"(?<=\S) {2,}(?=#)", "  ", re.sub(r"^([ -]*[^\s:#'\"]+:) {2,}(?=[^\s#])", r"\1 ", text, flags=re.M))


def without_brackets_indented(text: str) -> str:
    """Return a text in which lines inside brackets are not indented: they stand where what opened them stood."""
    inside: set[int] = set()
    opened: list[int] = []
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken):
            opened.append(token.start_mark.line)
        elif isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken):
            inside |= set(range(opened.pop() + 1, token.end_mark.line + 1))
    return "\n".join(line.lstrip() if n in inside else line for n, line in enumerate(text.split("\n")))


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.relative_to(RULES).as_posix())
def test_whatever_the_layout_the_same_text_comes_back(file: Path) -> None:
    written = file.read_text(encoding="utf-8")
    assert formatted(written) == written, "evaluator fmt rules"
    text = formatted(without_padding(written))
    other = disturbed(text, random.Random(file.relative_to(RULES).as_posix()))
    made = formatted(other)
    assert meaning(made) == meaning(other)
    assert formatted(made) == made
    assert without_brackets_indented(without_padding(made)) == without_brackets_indented(text)


MESSY = """\
# first


score:
    # of the items
    items:
    -   {id: a,points: 1 ,max:  2 }   # one
    - id:    b
      points:   >-
          case when x then 1

             else 2 end
      # after b


      note: 'two
           lines'   #two
    # of the list
    - {id: c,
       points: 1,
         max: 3}

fields:
  id:   {type: text}
  name: {type: text}
  no:   text
  # next
  a:  1
  long: 2
# last
"""
CLEAN = """\
# first

score:
  # of the items
  items:
    - {id: a, points: 1, max: 2}  # one
    - id: b
      points: >-
        case when x then 1

           else 2 end
      # after b

      note: 'two
        lines'  #two
    # of the list
    - {id: c,
       points: 1,
         max: 3}

fields:
  id:   {type: text}
  name: {type: text}
  no:   text
  # next
  a: 1
  long: 2
# last
"""


def test_the_style() -> None:
    assert formatted(MESSY) == CLEAN
    assert formatted(MESSY.replace("\n", "\r\n")) == CLEAN
    assert formatted(CLEAN) == CLEAN


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a: |\n  x", "a: |\n  x"),  # a line end more would be part of the text
        ("a: |+\n  x\n\n\n", "a: |+\n  x\n\n\n"),
        ("a: |2-\n    x\n   y\n", "a: |2-\n    x\n   y\n"),
        ("a:   # why\n    - b\n", "a:  # why\n  - b\n"),
        ("? a\n: b\n", "? a\n: b\n"),
        ('a: "b  \\\n   c"\n', 'a: "b  \\\n  c"\n'),
        ("a: {b: [1,2 , 3],c : {d: e}  }", "a: {b: [1, 2, 3], c: {d: e}}\n"),
        ("a:\n- - b\n  - c\n-   d: 1\n    e: 2\nf: g\n", "a:\n  - - b\n    - c\n  - d: 1\n    e: 2\nf: g\n"),
    ],
)
def test_corners_of_the_style(text: str, made: str) -> None:
    assert formatted(text) == made
    assert formatted(made) == made


def test_fmt_writes_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "pack" / "pack.yaml"
    file.parent.mkdir()
    file.write_text("pack:  demo\ntitle: {zh: 示范}\nlanguage: zh\n", encoding="utf-8")
    file.chmod(0o640)
    assert command("fmt", "--check", str(tmp_path)) == 1
    assert command("fmt", "--diff", str(tmp_path)) == 1
    assert "-pack:  demo\n+pack: demo\n" in capsys.readouterr().out
    assert file.read_text(encoding="utf-8").startswith("pack:  demo")
    assert command("fmt", str(tmp_path)) == 0
    assert file.read_text(encoding="utf-8").startswith("pack: demo\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["pack.yaml"]
    assert command("fmt", "--check", str(file)) == 0
    file.write_text("pack: &a demo\n", encoding="utf-8")
    assert command("fmt", str(file)) == 1
    assert "P106" in capsys.readouterr().err
    assert command("fmt", str(tmp_path / "nothing")) == 1


def command(*words: str) -> int:
    """Run a command of ours; return its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as ended:
        patch.setattr(sys, "argv", ["evaluator", *words])
        main()
    return int(ended.value.code or 0)


# --- new --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["湖滨区", "lakeside-2"])
def test_a_pack_begun_is_right(place: str, tmp_path: Path) -> None:
    folder = begin_pack(place, tmp_path / "packs")
    assert folder.name == place
    assert load_pack(folder).name == place
    outcomes = list(run_cases(folder))
    assert len(outcomes) == 3
    assert all(outcome.is_ok for outcome in outcomes)
    result = run(folder, sample_data(folder), SAMPLE_YEAR, tmp_path / "result")
    grades = [row["grade"] for row in rows_of(result, "subjects/member")]
    assert len({*grades} - {None}) == 3, "the sample data shows every grade"
    assert not [file.path for file in format_files([folder]) if file.is_changed]
    for file in folder.rglob("*.yaml"):
        named = re.match(r"# yaml-language-server: \$schema=(\S+)", file.read_text(encoding="utf-8"))
        assert named is not None
        assert (file.parent / named[1]).is_file()


def test_a_pack_is_begun_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path) -> list[Path]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scaffold, "write_schemas", full)
    with pytest.raises(Stop, match="No space left"):
        begin_pack("lakeside", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["null", "true", "2024", "12-31", "y", "湖滨_区"])
def test_names_that_mean_something_to_yaml(place: str, tmp_path: Path) -> None:
    assert load_pack(begin_pack(place, tmp_path)).name == place


# --- sql --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def statements(daguan: Pack) -> list[Statement]:
    return compiled(daguan, 2021)


def test_the_queries_are_those_of_a_run(
    daguan: Pack, runs: dict[int, Path], statements: list[Statement], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Compare with what a run over the sheets of the year made, statement by statement."""
    made: list[tuple[str, str]] = []
    create = DuckDatabase.create

    def noted(self: DuckDatabase, name: exp.Table, query: exp.Query, beside: Sequence[str] = ()) -> None:
        if name.db == "work" and ("roster " in name.name or re.search(r"#(sums\d+\.\d+|\d+|gates)$", name.name)):
            made.append((name.sql("duckdb"), query.sql("duckdb")))
        create(self, name, query, beside)

    monkeypatch.setattr(DuckDatabase, "create", noted)
    run(daguan, DATA / "2021", 2021, tmp_path / "out", [runs[2020]])
    of_run, made = made, []
    shown = [(one.name.sql("duckdb"), one.query.sql("duckdb")) for one in statements]
    assert [one for one in shown if one in of_run] == of_run
    assert of_run


def test_every_value_is_computed_by_a_query(daguan: Pack, statements: list[Statement]) -> None:
    said = {(what, f"{Path(at.file).name}:{at.line}") for one in statements for what, at in one.computes}
    for kind in daguan.kinds.values():
        for measure in kind.measures.values():
            assert (f"measure {kind.name}.{measure.name}", place_of(measure.at)) in said
        for line in kind.lines:
            assert (f"line {kind.name}.{line.id}", place_of(line.at)) in said
        for verdict in kind.verdicts.values():
            assert (f"verdict {kind.name}.{verdict.name}", place_of(verdict.at)) in said
        for roster in kind.rosters:
            assert (f"roster {roster.id}", place_of(roster.model.at)) in said
    text = compiled_text(daguan, 2021, "member", "duckdb")
    assert text.split("\n\n")[1:] == [one.text("duckdb") for one in statements if one.owner == "member"]


def place_of(at: Span) -> str:
    return f"{Path(at.file).name}:{at.line}"


def test_other_dialects_can_be_parsed_again(statements: list[Statement]) -> None:
    for one in statements:
        assert sqlglot.parse_one(one.text("postgres"), dialect="postgres")


# --- graph ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["daguan", "nanchong"])
def pack(request: pytest.FixtureRequest) -> Pack:
    return load_pack(RULES / request.param)


def test_the_graph_holds_the_plan(pack: Pack) -> None:
    reading = reading_of(pack)
    plan = Graph(pack)
    joined = {(edge.source, edge.target) for edge in reading.edges}
    for value, read in plan.reads.items():
        if value.part in ("measure", "line", "verdict"):
            assert key_of(value) in reading.nodes
            for other in read:
                if other.part in ("measure", "line", "verdict") and key_of(value) != key_of(other):
                    assert (key_of(other), key_of(value)) in joined, f"{value} reads {other}"
    assert {name for name, node in reading.nodes.items() if node.sort == "roster"} == {
        f"{kind.name}:roster:{roster.id}" for kind in pack.kinds.values() for roster in kind.rosters
    }
    read_by_nothing = reading.nodes.keys() - {edge.target for edge in reading.edges}
    assert all(reading.nodes[name].sort == "table" for name in read_by_nothing)


def test_the_picture_shows_the_graph(pack: Pack) -> None:
    reading = reading_of(pack)
    svg = ElementTree.fromstring(drawn(pack, reading))
    space = "{http://www.w3.org/2000/svg}"
    groups = {group.get("data-name"): group for group in svg.iter(f"{space}g")}
    assert groups.keys() == reading.nodes.keys()
    edges = [(path.get("data-from"), path.get("data-to")) for path in svg.iter(f"{space}path") if path.get("class")]
    assert sorted(edges) == sorted((edge.source, edge.target) for edge in reading.edges)  # type: ignore[type-var]
    rects = {name: box_of(group.find(f"{space}rect")) for name, group in groups.items()}
    width, height = float(svg.get("width", 0)), float(svg.get("height", 0))
    for (name, one), (other_name, other) in combinations(rects.items(), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, f"{name} and {other_name} overlap"
    for name, (left, top, right, bottom) in rects.items():
        assert 0 <= left < right <= width, name
        assert 0 <= top < bottom <= height, name
        label = max((wcswidth("".join(text.itertext())) for text in groups[name].iter(f"{space}text")), default=0)
        assert right - left >= 5 * label, f"{name} is wider than its box"
    for edge in reading.edges:  # who reads stands to the right
        is_circle = reading.nodes[edge.source].sort == reading.nodes[edge.target].sort == "table" or edge.is_earlier
        assert is_circle or rects[edge.source][2] < rects[edge.target][0], edge


def box_of(rect: ElementTree.Element | None) -> tuple[float, float, float, float]:
    assert rect is not None
    x, y, width, height = (float(rect.get(key, 0)) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_mermaid_shows_the_graph(pack: Pack) -> None:
    reading = reading_of(pack)
    text = mermaid(pack, reading)
    nodes = re.findall(r'^    (n\d+)[\[({]+"(.*)"[\])}]+$', text, re.MULTILINE)
    assert sorted(html.unescape(label.replace("#", "&#").split("<br/>")[0]) for _, label in nodes) == sorted(
        node.label for node in reading.nodes.values()
    )
    assert len(re.findall(r"^  n\d+ -(?:-|\.-)> n\d+$", text, re.MULTILINE)) == len(reading.edges)
    assert text.count("  subgraph ") == text.count("\n  end")


def test_labels_with_signs_of_their_own(tmp_path: Path) -> None:
    folder = write_pack(
        tmp_path / "p",
        pack="pack: p\ntitle: {en: a < b & c}\nlanguage: en\nlabels: {en: {n: 'a \"b\" #1 <i> & `c`'}}\n",
        member="subject: member\nkey: id\nfields: {id: text, x: number}\nmeasures: {n: x + 1}\n",
    )
    made = load_pack(folder)
    assert 'n1["a #34;b#34; #35;1 #60;i#62; #38; #96;c#96;<br/>n"]' in mermaid(made, reading_of(made))
    svg = ElementTree.fromstring(drawn(made, reading_of(made)))
    assert 'a "b" #1 <i> & `c`' in ["".join(one.itertext()) for one in svg.iter()]


def test_one_kind_and_what_it_reads(daguan: Pack) -> None:
    reading = reading_of(daguan, "plan")
    assert {edge.target for edge in reading.edges} <= {n.name for n in reading.nodes.values() if n.kind == "plan"}
    assert "workstation:measure:required" in reading.nodes
    assert "member:line:total" not in reading.nodes


def test_a_graph_takes_the_place_of_an_earlier_one_and_of_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = begin_pack("lakeside", tmp_path)
    rules, picture, text = folder / "pack.yaml", tmp_path / "g.svg", tmp_path / "g.mmd"
    before = rules.read_bytes()
    for out, begins in ((picture, "<svg"), (picture, "<svg"), (text, "flowchart"), (text, "flowchart")):
        assert command("graph", str(folder), "--out", str(out)) == 0
        assert out.read_text(encoding="utf-8").startswith(begins)
    assert command("graph", str(folder), "--format", "mermaid", "--out", str(rules)) == 1
    assert command("graph", str(folder), "--format", "mermaid", "--out", str(picture)) == 1
    assert "P117" in capsys.readouterr().err
    for name in ("pack.yaml", "g.png"):
        assert command("graph", str(folder), "--out", str(folder / name)) == 2
    assert rules.read_bytes() == before
    assert picture.read_text(encoding="utf-8").startswith("<svg")


# --- watch ------------------------------------------------------------------------------------------------


def test_watching_tells_what_a_save_changes_and_leaves_nothing(tmp_path: Path) -> None:
    folder = begin_pack("湖滨区", tmp_path)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = [sys.executable, "-m", "evaluator.cli", "watch", str(folder), "--data", str(sample_data(folder))]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env=environment
    )
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert next(lines).startswith("已评定 委员 5")
        rules, ledger = folder / "pack.yaml", sample_data(folder) / "活动台账.csv"
        before = rules.read_text(encoding="utf-8")
        rules.write_text(before.replace("pass_mark: 60", "pass_mark: 70"), encoding="utf-8")
        told = "".join(takewhile(lambda line: "何振邦" not in line, lines))
        assert "已保存 pack.yaml" in told
        assert "parameters.pass_mark: 60 → 70" in told
        rules.write_text(before.replace("pass_mark: 60", "pass_marc: 70"), encoding="utf-8")
        told = "".join(takewhile(lambda line: "上一次的结果" not in line, lines))
        assert 'there is no "pass_mark" here' in told
        rules.write_text(before.replace("pass_mark: 60", "pass_mark: 70"), encoding="utf-8")
        told = "".join(takewhile(lambda line: "没有变化" not in line, lines))
        assert "P401" not in told
        ledger.write_text(
            ledger.read_text(encoding="utf-8").replace("H001,2024-03-05,调研", "H001,2024-03-05,培训"), encoding="utf-8"
        )
        assert any("林知远 (M01): 等次 优秀 → 称职" in line for line in lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert not list(temporary.iterdir())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_what_is_wrong_from_the_start_is_waited_for_and_what_is_not_there_is_not(tmp_path: Path) -> None:
    folder = begin_pack("lakeside", tmp_path)
    assert command("watch", str(folder), "--data", str(tmp_path / "none"), "--year", "2024") == 1
    assert command("watch", str(tmp_path / "none"), "--data", str(sample_data(folder))) == 1
    rules = folder / "pack.yaml"
    right = rules.read_text(encoding="utf-8")
    rules.write_text(right.replace("pass_mark: 60", "pass_marc: 60"), encoding="utf-8")
    words = [sys.executable, "-m", "evaluator.cli", "watch", str(folder), "--data", str(sample_data(folder))]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8")
    try:
        assert process.stdout is not None
        assert next(process.stdout) == "waiting until this is mended and saved; Ctrl-C ends\n"
        rules.write_text(right, encoding="utf-8")
        assert next(process.stdout).startswith("assessed: Members 5")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]


def test_the_year_is_what_the_folder_is_called() -> None:
    assert year_of(DATA / "2021") == 2021
    assert year_of(DATA / "dirty") is None
    assert [year_of(Path(name)) for name in ("1899", "3000", "0002021", "二〇二一", "٢٠٢١")] == [None] * 5
    assert command("watch", str(RULES / "daguan"), "--data", str(DATA / "dirty")) == 2
