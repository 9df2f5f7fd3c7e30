import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from evaluator.diagnostics import Diagnostic, Problems, Span
from evaluator.pack import source
from evaluator.pack.source import List, Map, Text, read_yaml

PACK = sorted((Path(__file__).parents[1] / "rules" / "daguan").glob("*.yaml"))
SHARED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["C", "Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Read with libyaml's parser, and with the one in Python that stands in for it; what to compare with."""
    if request.param == "Python":
        monkeypatch.setattr(source, "LOADER", yaml.SafeLoader)
        return yaml.BaseLoader
    return yaml.CBaseLoader


def read(folder: Path, text: str | bytes) -> tuple[Map | None, list[Diagnostic]]:
    path = folder / "pack.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    problems = Problems()
    tree = read_yaml(path, "pack.yaml", problems)
    assert (tree is None) == problems.has_errors
    return tree, list(problems)


def place(found: Diagnostic) -> str:
    assert isinstance(found.at, Span)
    return f"{found.code} {found.at.line}:{found.at.column}+{found.at.length}"


def leaves(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [leaf for key, value in tree.items() for leaf in [key, *leaves(value)]]
    return [leaf for value in tree for leaf in leaves(value)] if isinstance(tree, list) else [tree]


# --- places -----------------------------------------------------------------------------------------------

values = st.text(st.sampled_from("甲乙，：ab'\"\\#:-=(),{}[]!|>é😀   \n\n"), min_size=1, max_size=60).filter(str.strip)


@SHARED
@given(
    value=values,
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.integers(5, 40),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_every_character_is_found_where_it_stands(
    tmp_path: Path, value: str, style: str | None, width: int, end: str
) -> None:
    options: dict[str, Any] = {"default_style": style, "width": width, "indent": 3, "allow_unicode": True}
    text = yaml.dump({"前": [{"名": value}, "尾"]}, **options)
    assume(yaml.safe_load(text)["前"][0]["名"] == value)  # the dumper may fold at a place it then reads otherwise
    tree, found = read(tmp_path, text.replace("\n", end))
    assert tree is not None, found
    lines = text.split("\n")
    scalar = tree["前"][0]["名"]
    assert scalar == value
    before = (0, 0)
    for i, character in enumerate(scalar):
        at = scalar.span(i)
        assert at.text == lines[at.line - 1]
        assert (at.line, at.column) > before or character in " \n"
        before = max(before, (at.line, at.column))
        if character not in " \n":
            written = at.text[at.column - 1 : at.column - 1 + at.length]
            doubled = "''" if character == "'" else character
            assert written in (character, doubled) or written[0] == "\\"
    for other in leaves(tree):
        assert isinstance(other, Text)
        assert other.at.text == lines[other.at.line - 1]


@pytest.mark.parametrize(
    ("text", "part", "line", "column", "length"),
    [
        ("键: 总分 >= 九十\n", ">=", 1, 7, 2),
        ("键: '甲''s 乙'\n", "乙", 1, 10, 1),
        ("键: '甲''s 乙'\n", "'s", 1, 6, 3),
        ('键: "\\u7532\\n乙 = \\"x\\""\n', '"x"', 1, 17, 5),
        ('键: "甲 \\\n   乙"\n', "乙", 2, 4, 1),
        ("键: 甲\n  乙\n\n  丙 丁\n", "丁", 4, 5, 1),
        ("键: >-\n    甲 and\n    乙 or\n\n      丙\n", "乙 or", 3, 5, 4),
        ("键: >-\n    甲 and\n    乙 or\n\n      丙\n", "丙", 5, 7, 1),
        ("键: |2\n    甲\n  乙\n", "乙", 3, 3, 1),
        ("键: >-\n  甲\n  乙\n", "甲 乙", 2, 3, 1),
    ],
)
@pytest.mark.usefixtures("loader")
def test_span(tmp_path: Path, text: str, part: str, line: int, column: int, length: int) -> None:
    tree, found = read(tmp_path, text)
    assert tree is not None, found
    at = tree["键"].span(tree["键"].index(part), len(part))
    assert (at.line, at.column, at.length, at.text) == (line, column, length, text.split("\n")[line - 1])


def test_span_at_the_end_and_without_a_file(tmp_path: Path) -> None:
    tree, _ = read(tmp_path, "when: 'a and'\n")
    assert tree is not None
    assert (tree["when"].span(5).column, tree["when"].span(99, 9).length) == (13, 1)
    made = Text("甲 = 乙", Span("f", 3, 5, 5, "k:  甲 = 乙"))
    assert made.span(4, 9) == Span("f", 3, 9, 1)


def test_places_of_keys_lists_and_mappings(tmp_path: Path) -> None:
    tree, _ = read(tmp_path, "\ufeff甲:\n  - {乙: [1, '2']}\n  - x\n")
    assert tree is not None
    items = tree["甲"]
    inner = items[0]["乙"]
    assert isinstance(items, List) and isinstance(items[0], Map)
    assert [str(made.at) for made in (tree, next(iter(tree)), items, items[0], inner, inner[1])] == [
        f"pack.yaml:{at}" for at in ("1:1", "1:1", "2:3", "2:5", "2:9", "2:13")
    ]
    assert [(text, text.plain) for text in inner] == [("1", True), ("2", False)]


# --- what is accepted -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PACK, ids=lambda path: path.name)
@pytest.mark.usefixtures("loader")
def test_pack_files_read_clean(path: Path) -> None:
    problems = Problems()
    assert read_yaml(path, path.name, problems) == yaml.load(path.read_text("utf-8"), yaml.BaseLoader)
    assert not list(problems)


@pytest.mark.parametrize(
    "text",
    [
        "a: ''\nb: []\nc: {}\nd: 'null'\n",
        "title: it's 3) # a (note\nreason: 'x' # it's\n",
        "when: a = 'x' # it's (one\npoints: 5 # 'half\nby: 主席会议 # (x\n",
        "---\nwhen: >-\n  a = 'x #1' and\n  b in (1, 2)\nnote: |\n  - x: y #\n",
        "rules: [{is: A, when: a in ('x')}, {is: B, when: f(a) = 'y'}]\n",
        "when: -x\nvalue: \"k = 'a: b'\"\nby: [id, name]\n",
        "a: x\r\nb: y\r\n",
    ],
)
@pytest.mark.usefixtures("loader")
def test_no_false_alarm(tmp_path: Path, text: str) -> None:
    tree, found = read(tmp_path, text)
    assert tree == yaml.load(text, yaml.BaseLoader), found


WORDS = [
    "a", "甲", "= 'x'", "'#1'", "' #'", "(b)", "(1, 2)", "': '", ":", ",", "- ", "!", "> #", "{}", "[x]", "|",
    "& *",
]  # fmt: skip
balanced = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@SHARED
@given(value=balanced, in_flow=st.booleans(), width=st.integers(5, 80))
def test_whatever_is_rightly_quoted_is_no_trap(tmp_path: Path, value: str, in_flow: bool, width: int) -> None:
    whole = {"when": value, "by": [value, "b"], "r": [{"where": value, "is": "A"}], "measures": {"m": value}}
    text = yaml.dump(whole, default_flow_style=in_flow, width=width, allow_unicode=True)
    tree, found = read(tmp_path, text)
    assert tree == whole, found


# --- what is refused --------------------------------------------------------------------------------------

REFUSED = {
    "not UTF-8": (b"a: 1\nb: \xe7\x94\xb2\xff\n", "P102 2:5+1"),
    "GBK": ("甲: 乙\n".encode("gbk"), "P102 1:1+1"),
    "UTF-16": ("a: 1\n".encode("utf-16"), "P102 1:1+1"),
    "tab in the indentation": ("a:\n  \tb: 1\n\tc: 2\n", "P109 2:3+1", "P109 3:1+1"),
    "tab and a duplicate": ("a: x\ty\nb: 1\nb: 2\n", "P109 1:5+1", "P105 3:1+1"),
    "invisible character": ("a: 甲\u2028乙\nb: \x01\n", "P103 1:5+1", "P103 2:4+1"),
    "full-width indent": ("a:\n　b: 1\n", "P103 2:1+1"),
    "full-width colon": ("a: 1\nwhen：x\nb: 1\n", "P103 2:5+1"),
    "open quote": ("a: 1\nb: 'x\nc: 1\n", "P103 2:4+1"),
    "open bracket": ("a: [1\nb: 2\n", "P103 2:2+1"),
    "escape of no character": ('a: "\\0"\nb: 1\n', "P103 1:4+4"),
    "indentation": ("a:\n   b: 1\n  c: 2\n", "P103 3:3+1"),
    "key in a value": ("a: 1\n  b: 2\n", "P103 2:4+1"),
    "second colon": ("title: a: b\nb: @x\n", "P103 1:9+1", "P103 2:4+1"),
    "list as a key": ("? [a]\n: b\nc: 1\n", "P103 1:3+1"),
    "mapping as a key": ("甲: {{a: b}: c}\n", "P103 1:5+1"),
    "too deep in a line": ("a: " + "[" * 10000, "P103 1:67+1"),
    "too deep in lines": ("- " * 10000, "P103 1:129+1"),
    "key twice": ("a: 1\n甲: {b: 1, b: 2}\n甲: 3\n", "P105 2:11+1", "P105 3:1+1"),
    "anchor and alias": ("a: &x 1\nb: *x\n", "P106 1:4+2", "P106 2:4+2"),
    "alias to nothing": ("a: *x\n", "P106 1:4+2"),
    "merge": ("a: {<<: {b: 1}}\n", "P106 1:5+2"),
    "tag": ("a: !!str 1\nb: !x {c: d}\n", "P107 1:4+5", "P107 2:4+2"),
    "no value": ("a:\nb: ~\nc: {d: null}\ne:\n  - \n", "P108 1:1+1", "P108 2:1+1",
                 "P108 3:5+1", "P108 5:3+1"),
    "empty block": ("a: |\nb: 1\n", "P108 1:1+1"),
    "no key": ("a: 1\n~: 2\n", "P108 2:1+1"),
    "empty": ("", "P115 1:1+1"),
    "comment only": ("# x\n", "P115 1:4+1"),
    "null": ("~\n", "P115 1:1+1"),
    "list": ("- a\n- b: 1\n  b: 2\n", "P115 1:1+1", "P105 3:3+1"),
    "two documents": ("a: 1\n---\nb: 1\n", "P116 2:1+3"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "places"), [(t, p) for t, *p in REFUSED.values()], ids=list(REFUSED))
@pytest.mark.usefixtures("loader")
def test_refused(tmp_path: Path, text: str | bytes, places: list[str]) -> None:
    tree, found = read(tmp_path, text)
    assert [place(one) for one in found] == places


def test_advice_where_the_case_allows_a_closer_one(tmp_path: Path) -> None:
    def fix(text: str | bytes) -> str | None:
        return read(tmp_path, text)[1][0].fix

    assert "GB 18030" in (fix("甲: 乙\n".encode("gbk")) or "")
    assert "UTF-16" in (fix("a: 1\n".encode("utf-16")) or "")
    assert fix("a: 1\nwhen：x\nb: 1\n") == "write\nwhen: x"
    assert fix("title: a: b  # c\n") == 'write\ntitle: "a: b"  # c'
    assert fix("a: {reason: 病休, 不考核, x: y}\n") == (
        'if the comma belongs to the text, write\na: {reason: "病休, 不考核", x: y}'
    )
    assert place(read(tmp_path, 'a: "\\q"\nb: 1\n')[1][0]) == "P103 1:5+1"
    first = read(tmp_path, "a: 1\na: 2\n")[1][0].also
    assert [(str(at), words) for at, words in first] == [("pack.yaml:1:1", "written here first")]


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yaml", tmp_path, Path("a\0b")):
        problems = Problems()
        assert read_yaml(path, "p.yaml", problems) is None
        assert [place(one) for one in problems] == ["P101 1:1+1"]


# --- traps ------------------------------------------------------------------------------------------------

TRAPS = [
    # the line, code and column, what to write, the expression meant
    ("  - {is: A, when: x in (1, 2)}  # c", "P110:26",
     "  - is: A  # c\n    when: x in (1, 2)", "x in (1, 2)"),
    ("  r: {count: x, where: k in ('甲','乙'), note: y}", "P110:33",
     "  r:\n    count: x\n    where: k in ('甲','乙')\n    note: y", "k in ('甲','乙')"),
    ("  by: [a in (1, 2), b]", "P110:15", '  by: ["a in (1, 2)", b]', "a in (1, 2)"),
    ("  r: [{is: A, when: x in (1, 2)}]", "P110:28", '  r: [{is: A, when: "x in (1, 2)"}]', "x in (1, 2)"),
    ("  - {is: A, when: k = 'a, b}'}", "P110:25", "  - is: A\n    when: k = 'a, b}'", "k = 'a, b}'"),
    ("  when: '甲' = role", "P111:9", "  when: role = '甲'", "role = '甲'"),
    ("  when: '甲' <= role.x  # c", "P111:9", "  when: role.x >= '甲'  # c", "role.x >= '甲'"),
    ("  when: '甲' = role or x", "P111:9", "  when: \"'甲' = role or x\"", "'甲' = role or x"),
    ("  r: {when: '甲' = role, is: b}", "P111:13", "  r: {when: role = '甲', is: b}", "role = '甲'"),
    ("  points: >= 90", "P112:11", "  points: total >= 90", "total >= 90"),
    ("  points: > 90", "P112:11", "  points: total > 90", "total > 90"),
    ("  points: >9", "P112:11", "  points: total >9", "total >9"),
    ("  points: - x", "P112:11", "  points: 0 - x", "0 - x"),
    ("  when: !a", "P112:9", "  when: not a", "not a"),
    ("  when: !(a or b) and c", "P112:9", "  when: not (a or b) and c", "not (a or b) and c"),
    ("  - {is: b, when: !a}", "P112:19", "  - {is: b, when: not a}", "not a"),
    ("  when: *a", "P112:9", "  when: a", "a"),
    ("  when: *a and b", "P112:9", "  when: a and b", "a and b"),
    ("  when: &a", "P112:9", "  when: a", "a"),
    ("  when: %a", "P112:9", "  when: a", "a"),
    ("  when: @a = 1", "P112:9", "  when: a = 1", "a = 1"),
    ("  when: `a` = 1", "P112:9", "  when: a = 1", "a = 1"),
    ("  when: a = 'x #1'", "P113:16", "  when: \"a = 'x #1'\"", "a = 'x #1'"),
    ("  when: a = 'x #1' or b  # c", "P113:16", "  when: \"a = 'x #1' or b\"  # c", "a = 'x #1' or b"),
    ("  r: {when: a = '甲 #1'}", "P113:20", "  r: {when: \"a = '甲 #1'\"}", "a = '甲 #1'"),
    ("  when: k = 'a: b'", "P114:15", "  when: \"k = 'a: b'\"", "k = 'a: b'"),
    ("  r: {when: k = 'a: b', is: c}", "P114:19", "  r: {when: \"k = 'a: b'\", is: c}", "k = 'a: b'"),
    ("    k = 'a: b'", "P114:11", "    \"k = 'a: b'\"", "k = 'a: b'"),
    ("    - k = 'a: b'", "P114:13", "    - \"k = 'a: b'\"", "k = 'a: b'"),
]  # fmt: skip


def within(line: str) -> str:
    """Return a file in which such a line may stand, and a problem of its own comes after it."""
    above = "order_by:" if line.startswith("    ") else "top:"
    return f"题: 甲\n{above}\n{line}\n后: 1\n"


@pytest.mark.parametrize(("line", "where", "written", "meant"), TRAPS, ids=[trap[0].strip() for trap in TRAPS])
@pytest.mark.usefixtures("loader")
def test_trap(tmp_path: Path, line: str, where: str, written: str, meant: str) -> None:
    text = within(line)
    tree, found = read(tmp_path, text + "后: 2\n")
    code, column = where.split(":")
    assert [place(one).split("+")[0] for one in found] == [f"{code} 3:{column}", "P105 5:1"]
    assert found[0].fix is not None
    advice, lines = found[0].fix.split("\n", 1)
    assert lines == written
    assert advice == ("start with a name, e.g." if "total" in meant else "write")
    tree, found = read(tmp_path, text.replace(line, lines))
    assert meant in leaves(tree), found


def test_trap_on_a_measure_and_on_the_last_of_several_lines(tmp_path: Path) -> None:
    _, found = read(tmp_path, "measures:\n  a: - x\n  b: '甲' = k\nnote: - x\n")
    assert [place(one) for one in found] == ["P112 2:6+1", "P111 3:6+3", "P103 4:7+1"]
    for rest, code in (("x #1", "P113"), ("x: 1", "P114")):
        _, found = read(tmp_path, f"when: a and\n  b = '{rest}'\nz: 1\n")
        assert [one.code for one in found] == [code]
        assert found[0].fix == f"write on one line\nwhen: \"a and b = '{rest}'\""
        assert isinstance(found[0].at, Span) and found[0].at.line == 2


def test_text_above_an_error_is_not_blamed(tmp_path: Path) -> None:
    for above in ("标题：一", "when: '甲' = 乙"):
        _, found = read(tmp_path, f"note: |\n  {above}\nb: @me\n")
        assert [place(one) for one in found] == ["P103 3:4+1"]


def test_all_problems_are_found_at_once(tmp_path: Path) -> None:
    _, found = read(
        tmp_path,
        "a: 1\na: 2\nwhen: '甲' = y\nb: &x 1\npoints: >= 3\n"
        "c: {when: f(a, b), max: g(c, d), e: }\nwhere: k = 'a: b'\nd:\n",
    )
    codes = ["P105 2", "P111 3", "P106 4", "P112 5", "P110 6", "P110 6", "P108 6", "P114 7", "P108 8"]
    assert [place(one).split(":")[0] for one in found] == codes
    assert found[4].fix == found[5].fix


# --- any input --------------------------------------------------------------------------------------------

WHOLE = [path.read_bytes() for path in PACK]
PIECES = [
    *"\n \t\r'\"{}[](),:!|>~\\：\x85", ": ", " #", "- ", "? ", "&a ", "*a", "<<: ", "---\n", "%YAML 9\n",
]  # fmt: skip
SIGNS = [piece.encode() for piece in PIECES] + [b"\xff"]
LINES = st.lists(st.sampled_from([*SIGNS, b"when: ", b"measures:", b"a", b"  "]), max_size=40).map(b"".join)


@SHARED
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()) | LINES)
def test_any_bytes_are_read_or_refused(tmp_path: Path, loader: Any, data: bytes) -> None:
    tree, found = read(tmp_path, data)
    assert all(str(one) for one in found)
    if tree is not None:
        assert tree == yaml.load(data.decode("utf-8-sig"), loader)


@SHARED
@given(seed=st.integers(0, 2**32))
def test_any_change_to_a_pack_is_read_or_refused(tmp_path: Path, loader: Any, seed: int) -> None:
    choose = random.Random(seed)
    data = choose.choice(WHOLE)
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(data))
        data = data[:at] + choose.choice(SIGNS) * choose.choice([1, 1, 1, 3]) + data[at + choose.randint(0, 4) :]
    tree, found = read(tmp_path, data)
    assert all(str(one) for one in found)
    if tree is not None:
        assert tree == yaml.load(data.decode("utf-8-sig"), loader)
