import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sayings import Names

from evaluator.pack.dialect import Wrong
from evaluator.pack.expression import compile_expression, split_order
from evaluator.pack.nodes import (
    Arithmetic,
    Call,
    Case,
    Compare,
    Const,
    IsNull,
    Junction,
    Lookup,
    Name,
    Node,
    Not,
    OneOf,
    Recall,
    Setting,
)
from evaluator.pack.types import BOOLEAN, DATE_TYPE, INTEGER, NUMBER, TEXT, Base, ParameterType, Type

GRADES = ("不合格", "合格", "优秀")
SCOPE = Names(
    {
        "total": NUMBER,
        "x": NUMBER,
        "n": INTEGER,
        "积分": NUMBER,
        "积分_2": INTEGER,
        "flag": BOOLEAN,
        "name": TEXT,
        "held": DATE_TYPE,
        "kind": Type("text", ("调研", "培训")),
        "grade": Type("text", GRADES, True),
        "band": Type("integer", (Fraction(1), Fraction(2), Fraction(3)), True),
        "host": Type("ref", target="member"),
        "site": Type("ref", target="workstation"),
        "site.stars": INTEGER,
        "site.站长.name": TEXT,
        "points.meetings": NUMBER,
    },
    unknown={"x", "site.stars"},
    parameters={
        "minimum": ParameterType((), INTEGER, Fraction(4)),
        "level_points": ParameterType((TEXT,), INTEGER, None, (("调研",),)),
        "rate": ParameterType((DATE_TYPE,), NUMBER, None, (None,)),
        "cut": ParameterType((TEXT, NUMBER), NUMBER, None, (None, None)),
        "of_truth": ParameterType((BOOLEAN,), INTEGER, None, ((True,),)),
    },
)


def read(text: str, wanted: Base | None = None) -> Node:
    return compile_expression(text, SCOPE, wanted)


def told(node: Node) -> str:
    """Write a tree with every pair of parentheses."""
    match node:
        case Const():
            return str(node.value)
        case Name():
            return ".".join([*node.hops, node.leaf])
        case Setting():
            return node.name
        case Arithmetic() | Compare():
            return f"({told(node.left)} {node.op} {told(node.right)})"
        case OneOf():
            return f"({told(node.operand)} in {', '.join(map(told, node.items))})"
        case IsNull():
            return f"({told(node.operand)} null)"
        case Not():
            return f"(not {told(node.operand)})"
        case Junction():
            return f"({f' {node.op} '.join(map(told, node.parts))})"
        case Case():
            branches = " ".join(f"{told(b.when)}: {told(b.then)};" for b in node.branches)
            return f"[{branches} {told(node.otherwise)}]"
        case Call():
            return f"{node.function}({', '.join(map(told, node.arguments))})"
        case Lookup():
            return f"{node.parameter}({', '.join(map(told, node.arguments))})"
        case Recall():
            years = "" if node.years is None else f", {node.years}"
            return f"{node.function}({told(node.operand)}{years})"
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("text", "tree", "type_", "nullable"),
    [
        ("1 + 2 * n - 3", "((1 + (2 * n)) - 3)", INTEGER, False),
        ("total / 2 / n", "((total / 2) / n)", NUMBER, True),
        ("total / 2 * 3", "((total / 2) * 3)", NUMBER, False),
        ("n / 2", "(n / 2)", NUMBER, False),
        ("n / 0", "(n / 0)", NUMBER, True),
        ("-n * 2 - -3", "(((0 - n) * 2) - -3)", INTEGER, False),
        ("1.5", "3/2", NUMBER, False),
        ("not flag and total > 1 or n = 2", "(((not flag) and (total > 1)) or (n = 2))", BOOLEAN, False),
        ("flag or flag and flag or flag", "(flag or (flag and flag) or flag)", BOOLEAN, False),
        ("not total > 1", "(not (total > 1))", BOOLEAN, False),
        ("not not flag", "(not (not flag))", BOOLEAN, False),
        ("x + 1 >= n * 2", "((x + 1) >= (n * 2))", BOOLEAN, True),
        ("n between 1 and 2 + 1 and flag", "(((n >= 1) and (n <= (2 + 1))) and flag)", BOOLEAN, False),
        ("n not between 1 and 2", "(not ((n >= 1) and (n <= 2)))", BOOLEAN, False),
        ("name not in ('a', 'it''s')", "(not (name in a, it's))", BOOLEAN, False),
        ("x is null and x is not null", "((x null) and (not (x null)))", BOOLEAN, False),
        ("(total > 1) = flag", "((total > 1) = flag)", BOOLEAN, False),
        ("积分 + 积分_2", "(积分 + 积分_2)", NUMBER, False),
        ("site.站长.name = '张三'", "(site.站长.name = 张三)", BOOLEAN, False),
        ("site . stars", "site.stars", INTEGER, True),
        ("points.meetings > minimum", "(points.meetings > 4)", BOOLEAN, False),
        ("held >= '2021-02-28'", "(held >= 2021-02-28)", BOOLEAN, False),
        ("'2021-01-01' <= held", "(2021-01-01 <= held)", BOOLEAN, False),
        ("year(held) <= this_year", "(year(held) <= this_year)", BOOLEAN, False),
        ("days('2021-01-01', held)", "days(2021-01-01, held)", INTEGER, False),
        ("grade >= '合格'", "(grade >= 合格)", BOOLEAN, False),
        ("band < 3", "(band < 3)", BOOLEAN, False),
        ("band < total", "(band < total)", BOOLEAN, False),
        ("case when x > 1 then n else total end", "[(x > 1): n; total]", NUMBER, True),
        ("case when flag then n when n = 1 then 0 end", "[flag: n; (n = 1): 0; None]", INTEGER, True),
        ("CASE WHEN flag THEN 'a' ELSE 'b' END", "[flag: a; b]", TEXT, False),
        ("coalesce(x, null, 0)", "coalesce(x, None, 0)", NUMBER, False),
        ("least(n, 3) + greatest(n, 2.5)", "(least(n, 3) + greatest(n, 5/2))", NUMBER, False),
        ("round(total) + round(n, 0)", "(round(total) + round(n, 0))", NUMBER, False),
        ("floor(x) + Ceil(total) + ABS(n)", "((floor(x) + ceil(total)) + abs(n))", INTEGER, True),
        ("clamp(n, 0, 3) * length(name)", "(clamp(n, 0, 3) * length(name))", INTEGER, False),
        ("contains(name, '，')", "contains(name, ，)", BOOLEAN, False),
        ("cut(name, x) + rate('2021-05-01')", "(cut(name, x) + rate(2021-05-01))", NUMBER, True),
        ("level_points('调研')", "level_points(调研)", INTEGER, False),
        ("years_running(grade = '不合格') >= 2", "(years_running((grade = 不合格)) >= 2)", BOOLEAN, False),
        ("sum_years(n, 3) + SUM_YEARS(total, term)", "(sum_years(n, 3) + sum_years(total, term))", NUMBER, True),
        ("years(flag, minimum) + last(n)", "(years(flag, 4) + last(n))", INTEGER, True),
        ("last(grade) >= '合格'", "(last(grade) >= 合格)", BOOLEAN, True),
        ("name = 'a -- b == \"c\" ≥ ; //'", '(name = a -- b == "c" ≥ ; //)', BOOLEAN, False),
        ("\n  total\n  > 1\n", "(total > 1)", BOOLEAN, False),
    ],
)  # fmt: skip
def test_an_expression_is_read_as_sql_reads_it(text: str, tree: str, type_: Type, nullable: bool) -> None:
    node = read(text)
    assert (told(node), node.type, node.nullable) == (tree, type_, nullable)


REFUSED = """\
P301 «»
P301 «   »
P302 total «==» 1
P302 total «!=» 1
P302 name «||» 'x'
P302 n «%» 2
P302 n «//» 2
P302 total«::»int
P301 cast(total «as» int)
P301 total «as» t
P302 total «--» why
P302 total «/*» why */ + 1
P302 («select total»)
P301 select «total»
P301 n in (select «n» from t)
P301 total «over» (n)
P302 «"»total" > 1
P302 name = «"»x"
P302 «`»total`
P302 n«;» n
P302 n«[»1]
P302 «!»flag
P302 n «^» 2
P302 n «=>» 1
P302 n «=<» 1
P302 flag «&&» flag
P305 total«≥»90
P305 total «≤» 90
P305 total «≠» 90
P305 name = «“»优秀”
P305 name = «‘»优秀’
P305 abs«（»total）
P305 least(total«，» 1)
P305 least(total«、»1)
P305 total «＝» 1
P305 total «×» 2
P305 total «÷» 2
P305 total «－» 2
P305 total=«　»1
P305 name = 'ok' and total«≥»90
P301 2021«年»
P301 this_year = 2021«年»
P301 total > «９０»
P301 «积．分» > 1
P302 «1e5» + 1
P302 n > «1.5e3»
P302 n + «1.»
P302 «.5» + n
P302 abs(n -«.25»)
P301 1«_000»
P302 n > «1234567890123456789»
P302 n > «0.1234567890123456789»
P301 n «n»
P301 n «'x'»
P301 n «like» 'x'
P301 n «+»
P301 («n»
P301 n«)»
P301 n between «1»
P301 n between 1 «2»
P301 n between symmetric «1» and 2
P301 case when flag then «1»
P301 name = «'»open
P301 abs(n«,»)
P301 n in (1«,» )
P301 least(1,«,» 2)
P301 «n» in ()
P302 («n, total»)
P302 «n in 1»
P302 «n is 5»
P302 «n is true»
P302 flag and «n is not 5»
P302 «n is distinct from 5»
P302 case «n» when 1 then 2 end
P302 n + «N'x'»
P302 «*»
P301 site.«*»
P301 site.«abs(n)»
P301 flag = «true».x
P301 n.«1»
P303 n + «flor»(n) | write floor
P303 «cast»(n)
P303 «sum»(n)
P303 «if»(flag, 1, 2)
P303 abs(n) + «abz»(n, 1)
P304 n + «abs()»
P304 abs(n) + «abs(n, 1)»
P304 abs(«abs(n, 1)»)
P304 n + «abs(abs(n), (1))» * 2
P304 «least(n)»
P304 «clamp(n, 1)»
P304 «coalesce(n)»
P304 round(n, «7»)
P304 round(n, «n»)
P304 n + «level_points» | write level_points(…)
P304 n + «minimum(1)» | write minimum
P304 n + «cut(name)»
P304 n + «years_running(flag, flag)»
P304 n + «years(flag)»
P304 n + «sum_years(n)»
P304 n + «last(n, 2)»
P304 years(flag, «0») | write the number, or a parameter that is one
P304 years(flag, «n») | write the number, or a parameter that is one
P304 sum_years(n, «1.5») | write the number, or a parameter that is one
P304 sum_years(n, «101») | write the number, or a parameter that is one
P306 n + «flag»
P306 n + «true»
P306 «flag» * 2
P306 n + «name»
P306 n + («'1'»)
P306 -«name»
P306 n + «held» | use days(a, b)
P306 flag = «1»
P306 n = «flag»
P306 n = «'1'»
P306 held = «name»
P306 held = «2021»
P306 name = «held»
P306 n = «null» | write is null
P306 n in (1, «null»)
P306 n in (1, «'x'»)
P306 n between 1 and «flag»
P306 held between '2021-01-01' and «'2021-02-30'» | write it as '2021-01-31'
P306 held >= «'2021-1-1'»
P306 days(«'soon'», held)
P306 «flag» > flag
P306 «host» < host
P306 host = «site»
P306 coalesce(host, «site») = host
P306 «kind» > '调研'
P306 «kind» between '调研' and '培训'
P306 grade >= «kind»
P306 grade > «name»
P306 not «n»
P306 flag and «n»
P306 flag or «n + 1»
P306 case when «n» then 1 end
P306 case when flag then 1 else «'x'» end
P306 coalesce(n, «name»)
P306 abs(«name»)
P306 length(«n»)
P306 contains(name, «1»)
P306 year(«n»)
P306 least(n, «flag»)
P306 rate(«n»)
P306 years_running(«n»)
P306 sum_years(«flag», 3)
P306 years(«n», term)
P306 last(«null») | give it a value
P307 kind = «'调妍'»
P307 grade = «'优秀级'» | write '优秀'
P307 «'x'» = kind
P307 kind in ('调研', «'优秀'»)
P307 grade <> «'优良'»
P307 grade >= «'最好'»
P307 band = «4»
P307 band >= «2.5»
P401 n + «totl» | write total
P401 site.«star» | write stars
P401 site.站长.«nam»
P401 «sites».stars
P401 n + «null_» > 1
P408 level_points(«kind»)
P408 level_points(«'其他'»)
P408 of_truth(«flag»)
"""


@pytest.mark.parametrize("line", REFUSED.splitlines())
def test_what_is_wrong_is_told_at_its_place(line: str) -> None:
    code, _, marked = line.partition(" ")
    marked, _, fix = marked.partition(" | ")
    text = marked.replace("«", "").replace("»", "")
    start = marked.index("«")
    length = marked.index("»") - start - 1
    with pytest.raises(Wrong) as refused:
        read(text)
    wrong = refused.value
    if text.strip():
        found = text[: wrong.place[0]] + "«" + text[wrong.place[0] : sum(wrong.place)] + "»" + text[sum(wrong.place) :]
        assert (wrong.code, found) == (code, marked)
        assert wrong.place == (start, length)
    else:
        assert wrong.code == code
    if fix:
        assert wrong.fix == fix


def test_a_type_that_the_key_needs() -> None:
    for wanted in ("boolean", "number", "text", "date"):
        wrong = {"boolean": "n", "number": "name", "text": "flag", "date": "n"}[wanted]
        with pytest.raises(Wrong) as refused:
            read(wrong, wanted)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.place) == ("P306", (0, len(wrong)))
    assert read("n", "number").type == INTEGER
    for wanted in ("boolean", "number", None):
        with pytest.raises(Wrong) as refused:
            read("null", wanted)  # type: ignore[arg-type]
        assert (refused.value.code, refused.value.place) == ("P306", (0, 4))


def test_a_record_has_no_history() -> None:
    record = Names(SCOPE.types)
    record.has_history = False
    with pytest.raises(Wrong) as refused:
        compile_expression("n + years_running(flag)", record)
    assert (refused.value.code, refused.value.place) == ("P302", (4, 19))


def test_places_of_parts_cover_their_text() -> None:
    text = "flag and not (abs(积分) > 2) or n in (1, (2))"
    by_text = {text[p.place[0] : sum(p.place)] for p in read(text).walk()}
    assert {"flag", "abs(积分)", "积分", "(abs(积分) > 2)"} & by_text == {"flag", "abs(积分)", "积分"}
    assert "abs(积分) > 2" in by_text
    assert text in by_text


@pytest.mark.parametrize(
    "text",
    [
        "1" + " + n" * 5000,
        "(" * 3000 + "n" + ")" * 3000,
        "not " * 3000 + "flag",
        "abs(" * 300 + "n" + ")" * 300,
        "case when flag then " * 500 + "1" + " end" * 500,
        "n = " + "9" * 5000,
    ],
    ids=lambda text: text[:8],
)
def test_the_endless_is_refused(text: str) -> None:
    with pytest.raises(Wrong) as refused:
        read(text)
    assert refused.value.code in ("P301", "P302")


def test_long_lists_of_conditions_are_not_deep() -> None:
    node = read(" or ".join(f"n = {i} and flag" for i in range(300)))
    assert isinstance(node, Junction)
    assert len(node.parts) == 300


@pytest.mark.parametrize(
    ("text", "key", "descends"),
    [
        ("total desc", "total", True),
        ("total DESC ", "total", True),
        ("total\tasc", "total", False),
        ("total", "total", False),
        ("case when flag then 1 else 0 end desc", "case when flag then 1 else 0 end", True),
        ("desc", "desc", False),
    ],
)
def test_an_ordering_ends_in_its_direction(text: str, key: str, descends: bool) -> None:
    assert split_order(text) == (key, descends)


# --- anything at all --------------------------------------------------------------------------------------

PLAIN = """
and or not in between is null case when then else end true false as from select over distinct like
symmetric total x n 积分 flag name held kind grade band host site site.stars points.meetings minimum
level_points rate cut abs round floor least greatest clamp coalesce contains length year days months
years_running foo 优秀 this_year period_end 0 1 2.5 1e3 .5 '甲' '调研' '2021-01-01' '' '优秀' desc 年
+ - * / = <> < <= > >= ( ) ( ) , . == != || % // :: -- /* => ; ` [ ] { } @ # $ ? ^ ~ ! & | : '
"""
WORDS = [
    *PLAIN.split(),
    *("“", "”", "，", "、", "（", "）", "≥", "\u3000", '"', "\\", "\x00", "\n", "\u2028", "\ufeff", "\u00a0", "😀"),
]
sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).flatmap(
    lambda words: st.sampled_from([" ", " ", ""]).map(lambda gap: gap.join(words))
)
NAMES = ["n", "x", "total", "flag", "name", "held", "kind", "grade", "host", "'a'", "'调研'", "1", "null", "true"]
SIGNS = ["+", "/", "=", "<", "and", "or", "in", "is", ","]
CALLED = ["abs", "coalesce", "days", "rate", "cut", "least"]
grammar = st.deferred(
    lambda: st.one_of(
        st.sampled_from(NAMES),
        st.tuples(grammar, st.sampled_from(SIGNS), grammar).map(" ".join),
        grammar.map("({})".format),
        grammar.map("not {}".format),
        st.tuples(st.sampled_from(CALLED), grammar).map(lambda parts: "{}({})".format(*parts)),
        st.tuples(grammar, grammar, grammar).map(lambda parts: "case when {} then {} else {} end".format(*parts)),
        st.tuples(grammar, grammar, grammar).map(lambda parts: "{} between {} and {}".format(*parts)),
    )
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.one_of(sentences, grammar, st.text(max_size=30)), st.sampled_from([None, "boolean", "number"]))
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str, wanted: Base | None) -> None:
    try:
        node = read(text, wanted)
    except Wrong as wrong:
        start, length = wrong.place
        assert 0 <= start < start + length <= max(1, len(text))
        assert wrong.code in {"P301", "P302", "P303", "P304", "P305", "P306", "P307", "P401", "P408"}
        assert wrong.message
    else:
        assert wanted is None or node.type.base in (wanted, "nothing") or (wanted == "number" and node.type.is_number)
        for part in node.walk():
            assert 0 <= part.place[0] < sum(part.place) <= len(text)
            assert not isinstance(part, Const) or isinstance(part.value, (Fraction, str, bool, dt.date, type(None)))
        assert told(read(text, wanted)) == told(node)
