"""Pages in a real browser: nothing wider than the screen at 1280 and 400 pixels, and letters opened again."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
from conftest import DATA, RULES
from python_calamine import CalamineWorkbook

import evaluator
from evaluator.diagnostics import Stop
from evaluator.report.appeal import Looked, look_at, looked_back_at
from evaluator.report.explaining.answers import answer
from evaluator.report.explaining.document import Document
from evaluator.report.letter import letter_of, write_letter

BROWSER = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
CASE = """
appeal: 2021-1
subject: member:119
filed_on: 2022-01-05
status: {status}
reviewer: 区政协主席会议
decided_on: 2022-01-10
reason: 立案 <通知书> 证实
claims:
  - {{correct: proposal, key: "006", set: {{result: 立案}}, evidence: 通知书}}
"""
MEASURE = """
<iframe id=page src="{page}" style="width:{width}px;height:900px;border:0"></iframe>
<script>
document.getElementById("page").onload = function () {{
  const page = this.contentDocument.documentElement;
  document.title = JSON.stringify([page.scrollWidth, page.scrollHeight, page.innerText.length]);
}};
</script>
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, runs: dict[int, Path]) -> Path:
    out = tmp_path_factory.mktemp("published") / "run"
    day = dt.date(2021, 12, 31)
    return evaluator.run(RULES, DATA / "2021", 2021, out, [runs[2020]], stage="published", published_on=day)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("cases")
    for status in ("accepted", "rejected"):
        (folder / status).mkdir()
        (folder / status / "1.yaml").write_text(dedent(CASE.format(status=status)), encoding="utf-8")
    return {path.name: path / "1.yaml" for path in folder.iterdir()}


def measured(page: Path, width: int) -> list[int]:
    """Return how wide and high a page becomes in a window, and how much text it shows."""
    frame = page.with_name(f"frame{width}.html")
    frame.write_text(MEASURE.format(page=page.name, width=width), encoding="utf-8")
    assert BROWSER is not None
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"),
        *(f"--window-size={width + 60},1000", f"--user-data-dir={page.parent / 'profile'}"),
        *("--virtual-time-budget=5000", "--dump-dom", frame.as_uri()),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r"<title>(\[[^<]*\])</title>", dom)
    assert found, dom[:2000]
    return [int(number) for number in json.loads(found[1])]


@pytest.mark.skipif(BROWSER is None, reason="there is no chromium here")
@pytest.mark.parametrize("width", [1280, 400])
def test_pages_fit_the_screen(
    published: Path, runs: dict[int, Path], cases: dict[str, Path], tmp_path: Path, width: int
) -> None:
    pages = {
        "explained": answer(published, "W07", "html", None, None, None),
        "against": answer(published, "member:119", "html", None, None, "member:108"),
        "why": answer(published, "member:119", "html", "en", "grade=优秀", None),
    }
    for name, content in pages.items():
        (tmp_path / f"{name}.html").write_text(content, encoding="utf-8")
    pack, looked = look_at(cases["accepted"], published, history=[runs[2020]])
    letter, _ = write_letter(letter_of(pack, looked), tmp_path, "letter")
    for page in [*(tmp_path / f"{name}.html" for name in pages), letter]:
        wide, high, text = measured(page, width)
        assert wide <= width, page.name
        assert high > 100
        assert text > 40


def test_pages_stand_by_themselves(published: Path) -> None:
    """A page asks for nothing from anywhere, and what people wrote is text in it."""
    page = answer(published, "W07", "html", None, None, None)
    assert not re.search(r"(src|href)\s*=|<script|@import|url\(", page)
    assert "@page { size: A4" in page
    assert "Noto Sans CJK SC" in page
    assert "HD2021176/1" in page


def test_json_is_the_document(published: Path) -> None:
    """What --format json prints is read again by its own model, and says what the text says."""
    made = json.loads(answer(published, "member:119", "json", None, None, None))
    document = Document.model_validate(made)
    assert (document.total, [one.value for one in document.results]) == ("89", ["良好", "否"])
    assert document.lines[0].points == "89"
    text = answer(published, "member:119", "text", None, None, None)
    for line in document.lines:
        assert re.search(rf"{line.label} .* {line.points} ", text), line.label
    markdown = answer(published, "member:119", "md", None, None, None)
    assert all(one.value in markdown for one in document.results)


def test_letter(published: Path, runs: dict[int, Path], cases: dict[str, Path], tmp_path: Path) -> None:
    """A letter tells the decision, what changed, and the result, in Word as on the page; nothing written is markup."""
    docx = pytest.importorskip("docx")
    pack, looked = look_at(cases["accepted"], published, history=[runs[2020]])
    assert {(one.label, one.before, one.after) for one in looked.moved} >= {
        ("总分", "89", "100"),
        ("等次", "良好", "优秀"),
    }
    page, file = write_letter(letter_of(pack, looked), tmp_path, "letter")
    document = docx.Document(str(file))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    words = "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
    html = page.read_text(encoding="utf-8")
    assert "立案 <通知书> 证实" in words
    assert "立案 &lt;通知书&gt; 证实" in html
    for said in ("区政协主席会议", "2022-01-10", "许涵帆", "等次", "优秀", "「"):
        assert said in words
        assert said in html
    pack, looked = looked_back_at(cases["rejected"], published)
    assert looked.moved == []
    assert "不予采纳" in write_letter(letter_of(pack, looked), tmp_path, "no")[0].read_text(encoding="utf-8")


def test_whom_an_appeal_moves(published: Path, cases: dict[str, Path], runs: dict[int, Path], tmp_path: Path) -> None:
    """What a check tells of everybody is what the next run comes to."""
    _, looked = look_at(cases["accepted"], published, history=[runs[2020]])
    assert looked.comparison is not None
    told = {(one.kind, one.key) for one in looked.comparison.subjects}
    after = evaluator.run(
        RULES, DATA / "2021", 2021, tmp_path / "after", [runs[2020]], supersedes=published,
        appeals=cases["accepted"].parent,
    )  # fmt: skip
    assert {(one.kind, one.key) for one in evaluator.compare(published, after).subjects} == told
    assert {("member", "119"), ("member", "069"), ("member", "108")} <= told
    assert Looked.model_validate_json(looked.model_dump_json()).moved == looked.moved
    document = json.loads(answer(after, "member:119", "json", None, None, None))
    assert document["amendments"][0]["case"] == "2021-1"


def test_exports_say_what_was_amended(
    published: Path, cases: dict[str, Path], runs: dict[int, Path], tmp_path: Path
) -> None:
    """The workbook has a sheet of what cases changed; the published one has none."""
    amended = evaluator.run(
        RULES, DATA / "2021", 2021, published.with_name("amended"), [runs[2020]], supersedes=published,
        appeals=cases["accepted"].parent,
    )  # fmt: skip
    book = CalamineWorkbook.from_path(amended / "rosters.xlsx")
    assert book.get_sheet_by_name("申诉更正").to_python()[1:] == [
        ["2021-1", "更正 提案", "006", "大观区政协2021年台账.xlsx:7", "处理结果", "不予立案", "立案"]
    ]
    assert "申诉更正" not in CalamineWorkbook.from_path(published / "rosters.xlsx").sheet_names


def test_a_case_is_looked_at_beside_others(
    published: Path, cases: dict[str, Path], runs: dict[int, Path], tmp_path: Path
) -> None:
    """A run that cases have amended already can be asked about another one, though its file has the name of theirs."""
    amended = evaluator.run(
        RULES, DATA / "2021", 2021, published.with_name("amended"), [runs[2020]], supersedes=published,
        appeals=cases["accepted"].parent,
    )  # fmt: skip
    other = tmp_path / "1.yaml"
    text = cases["accepted"].read_text(encoding="utf-8").replace("2021-1", "2021-2").replace("member:119", "member:108")
    other.write_text(text.replace('key: "006"', 'key: "005"'), encoding="utf-8")
    _, looked = look_at(other, amended, history=[runs[2020]])
    assert [one.case for one in looked.after.amendments] == ["2021-2"]
    moved = tmp_path / "elsewhere" / "amended"
    shutil.copytree(amended, moved)
    with pytest.raises(Stop, match="R222"):  # what it was before is not beside it: no letter says that nothing moved
        looked_back_at(cases["accepted"], moved)
    _, looked = looked_back_at(cases["accepted"], moved, chain=[published])
    assert looked.moved
