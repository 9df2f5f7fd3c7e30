import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sayings import Names

from evaluator.pack import expression as ex
from evaluator.pack.expression import Wrong, compile_expression, split_order

GRADES = ("不合格", "合格", "优秀")
SCOPE = Names(
    {
        "total": ex.NUMBER,
        "x": ex.NUMBER,
        "n": ex.INTEGER,
        "积分": ex.NUMBER,
        "积分_2": ex.INTEGER,
        "flag": ex.BOOLEAN,
        "name": ex.TEXT,
        "held": ex.DATE_TYPE,
        "kind": ex.Type("text", ("调研", "培训")),
        "grade": ex.Type("text", GRADES, True),
        "band": ex.Type("integer", (Fraction(1), Fraction(2), Fraction(3)), True),
        "host": ex.Type("ref", target="member"),
        "site": ex.Type("ref", target="workstation"),
        "site.stars": ex.INTEGER,
        "site.站长.name": ex.TEXT,
        "points.meetings": ex.NUMBER,
    },
    unknown={"x", "site.stars"},
    parameters={
        "minimum": ex.ParameterType((), ex.INTEGER, Fraction(4)),
        "level_points": ex.ParameterType((ex.TEXT,), ex.INTEGER, None, (("调研",),)),
        "rate": ex.ParameterType((ex.DATE_TYPE,), ex.NUMBER, None, (None,)),
        "cut": ex.ParameterType((ex.TEXT, ex.NUMBER), ex.NUMBER, None, (None, None)),
        "of_truth": ex.ParameterType((ex.BOOLEAN,), ex.INTEGER, None, ((True,),)),
    },
)


def read(text: str, wanted: ex.Base | None = None) -> ex.Node:
    return compile_expression(text, SCOPE, wanted)


def told(node: ex.Node) -> str:
    """Write a tree with every pair of parentheses."""
    match node:
        case ex.Const():
            return str(node.value)
        case ex.Name():
            return ".".join([*node.hops, node.leaf])
        case ex.Setting():
            return node.name
        case ex.Arithmetic() | ex.Compare():
            return f"({told(node.left)} {node.op} {told(node.right)})"
        case ex.OneOf():
            return f"({told(node.operand)} in {', '.join(map(told, node.items))})"
        case ex.IsNull():
            return f"({told(node.operand)} null)"
        case ex.Not():
            return f"(not {told(node.operand)})"
        case ex.Junction():
            return f"({f' {node.op} '.join(map(told, node.parts))})"
        case ex.Case():
            branches = " ".join(f"{told(b.when)}: {told(b.then)};" for b in node.branches)
            return f"[{branches} {told(node.otherwise)}]"
        case ex.Call():
            return f"{node.function}({', '.join(map(told, node.arguments))})"
        case ex.Lookup():
            return f"{node.parameter}({', '.join(map(told, node.arguments))})"
        case ex.Recall():
            return f"{node.function}({told(node.condition)})"
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("text", "tree", "type_", "nullable"),
    [
        ("1 + 2 * n - 3", "((1 + (2 * n)) - 3)", ex.INTEGER, False),
        ("total / 2 / n", "((total / 2) / n)", ex.NUMBER, True),
        ("total / 2 * 3", "((total / 2) * 3)", ex.NUMBER, False),
        ("n / 2", "(n / 2)", ex.NUMBER, False),
        ("n / 0", "(n / 0)", ex.NUMBER, True),
        ("-n * 2 - -3", "(((0 - n) * 2) - -3)", ex.INTEGER, False),
        ("1.5", "3/2", ex.NUMBER, False),
        ("not flag and total > 1 or n = 2", "(((not flag) and (total > 1)) or (n = 2))", ex.BOOLEAN, False),
        ("flag or flag and flag or flag", "(flag or (flag and flag) or flag)", ex.BOOLEAN, False),
        ("not total > 1", "(not (total > 1))", ex.BOOLEAN, False),
        ("not not flag", "(not (not flag))", ex.BOOLEAN, False),
        ("x + 1 >= n * 2", "((x + 1) >= (n * 2))", ex.BOOLEAN, True),
        ("n between 1 and 2 + 1 and flag", "(((n >= 1) and (n <= (2 + 1))) and flag)", ex.BOOLEAN, False),
        ("n not between 1 and 2", "(not ((n >= 1) and (n <= 2)))", ex.BOOLEAN, False),
        ("name not in ('a', 'it''s')", "(not (name in a, it's))", ex.BOOLEAN, False),
        ("x is null and x is not null", "((x null) and (not (x null)))", ex.BOOLEAN, False),
        ("(total > 1) = flag", "((total > 1) = flag)", ex.BOOLEAN, False),
        ("积分 + 积分_2", "(积分 + 积分_2)", ex.NUMBER, False),
        ("site.站长.name = '张三'", "(site.站长.name = 张三)", ex.BOOLEAN, False),
        ("site . stars", "site.stars", ex.INTEGER, True),
        ("points.meetings > minimum", "(points.meetings > 4)", ex.BOOLEAN, False),
        ("held >= '2021-02-28'", "(held >= 2021-02-28)", ex.BOOLEAN, False),
        ("'2021-01-01' <= held", "(2021-01-01 <= held)", ex.BOOLEAN, False),
        ("year(held) <= this_year", "(year(held) <= this_year)", ex.BOOLEAN, False),
        ("days('2021-01-01', held)", "days(2021-01-01, held)", ex.INTEGER, False),
        ("grade >= '合格'", "(grade >= 合格)", ex.BOOLEAN, False),
        ("band < 3", "(band < 3)", ex.BOOLEAN, False),
        ("band < total", "(band < total)", ex.BOOLEAN, False),
        ("case when x > 1 then n else total end", "[(x > 1): n; total]", ex.NUMBER, True),
        ("case when flag then n when n = 1 then 0 end", "[flag: n; (n = 1): 0; None]", ex.INTEGER, True),
        ("CASE WHEN flag THEN 'a' ELSE 'b' END", "[flag: a; b]", ex.TEXT, False),
        ("coalesce(x, null, 0)", "coalesce(x, None, 0)", ex.NUMBER, False),
        ("least(n, 3) + greatest(n, 2.5)", "(least(n, 3) + greatest(n, 5/2))", ex.NUMBER, False),
        ("round(total) + round(n, 0)", "(round(total) + round(n, 0))", ex.NUMBER, False),
        ("floor(x) + Ceil(total) + ABS(n)", "((floor(x) + ceil(total)) + abs(n))", ex.INTEGER, True),
        ("clamp(n, 0, 3) * length(name)", "(clamp(n, 0, 3) * length(name))", ex.INTEGER, False),
        ("contains(name, '，')", "contains(name, ，)", ex.BOOLEAN, False),
        ("cut(name, x) + rate('2021-05-01')", "(cut(name, x) + rate(2021-05-01))", ex.NUMBER, True),
        ("level_points('调研')", "level_points(调研)", ex.INTEGER, False),
        ("years_running(grade = '不合格') >= 2", "(years_running((grade = 不合格)) >= 2)", ex.BOOLEAN, False),
        ("name = 'a -- b == \"c\" ≥ ; //'", '(name = a -- b == "c" ≥ ; //)', ex.BOOLEAN, False),
        ("\n  total\n  > 1\n", "(total > 1)", ex.BOOLEAN, False),
    ],
)  # fmt: skip
def test_an_expression_is_read_as_sql_reads_it(text: str, tree: str, type_: ex.Type, nullable: bool) -> None:
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
    assert read("n", "number").type == ex.INTEGER
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
    assert isinstance(node, ex.Junction)
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
def test_any_text_is_read_or_refused_at_a_place_in_it(text: str, wanted: ex.Base | None) -> None:
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
            assert not isinstance(part, ex.Const) or isinstance(part.value, (Fraction, str, bool, dt.date, type(None)))
        assert told(read(text, wanted)) == told(node)
