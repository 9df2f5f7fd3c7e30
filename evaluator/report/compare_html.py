"""A comparison as one page that stands alone: for the screen, wide or narrow, and for paper."""

from __future__ import annotations

from html import escape

from evaluator.report.compare_model import ChangedSubject, Comparison
from evaluator.report.compare_text import Table, Words
from evaluator.report.words import say

MOST_SHOWN = 500  # subjects of a kind that the page shows
_STYLE = """
:root { color-scheme: light; }
body { font-family: "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "SimSun", sans-serif;
  font-size: 15px; line-height: 1.6; color: #1f2328; background: #fff; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 2px solid #1f2328; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p { margin: .25rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { border: 1px solid #8c959f; padding: .2rem .6rem; text-align: left; white-space: nowrap; }
th { background: #f0f2f4; font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.same { color: #57606a; }
.moved { font-weight: 700; background: #fff4ce; }
section { break-inside: avoid; }
.change { margin: .25rem 0 0; font-weight: 600; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 1.25rem; }
li { overflow-wrap: anywhere; }
@media (max-width: 30rem) { body { font-size: 14px; padding: .6rem; } th, td { padding: .15rem .35rem; } }
@media print { body { font-size: 10.5pt; max-width: none; padding: 0; } .wide { overflow: visible; }
  th, td { white-space: normal; } h2, h3 { break-after: avoid; } }
@page { size: A4; margin: 18mm 15mm; }
"""


def comparison_page(found: Comparison) -> str:
    """Return a comparison as a page."""
    words = Words(found)
    pack = words.pack
    title, *lines = words.head()
    language = "zh-Hans" if found.language == "zh" else "en"
    parts = [
        "<!doctype html>",
        f'<html lang="{language}">',
        '<meta charset="utf-8">',
        "<meta name=viewport content=\"width=device-width, initial-scale=1\">",
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in lines),
        _table(words.summary_table()),
    ]
    for one in found.kinds:
        for name, table in words.matrices(one):
            parts += [f"<h3>{escape(pack.label(one.kind))} · {escape(name)}</h3>", _table(table, is_matrix=True)]
    if found.rules:
        listed = [f"<li>{escape(line)}</li>" for cause in found.rules for _, line in words.cause(cause)]
        parts += [f"<h2>{escape(say(pack, 'rules that differ'))}</h2>", "<ul>", *listed, "</ul>"]
    if found.records:
        counts = [f"<li>{escape(pack.label(name))} {count}</li>" for name, count in found.records.items()]
        parts += [f"<h2>{escape(say(pack, 'records that differ'))}</h2>", "<ul>", *counts, "</ul>"]
    parts.append(f"<h2>{escape(say(pack, 'changes'))}</h2>")
    for kind in [one.kind for one in found.kinds]:
        subjects = [one for one in found.subjects if one.kind == kind]
        parts += [_subject(words, one) for one in subjects[:MOST_SHOWN]]
        if len(subjects) > MOST_SHOWN:
            parts.append(f"<p>{escape(say(pack, 'more subjects', len(subjects) - MOST_SHOWN))}</p>")
    if not found.subjects:
        parts.append(f"<p>{escape(say(pack, 'nothing changed'))}</p>")
    return "\n".join(parts) + "\n</html>"


def _table(table: Table, is_matrix: bool = False) -> str:
    """Return a table; of a matrix, what is not the same before and after stands out."""
    headings, rows, is_right = table
    made = ["<div class=wide><table>"]
    made.append("<tr>" + "".join(f"<th scope=col>{escape(heading)}" for heading in headings))
    for y, row in enumerate(rows):
        cells = []
        for x, cell in enumerate(row):
            if x == 0:
                cells.append(f"<th scope=row>{escape(cell)}")
                continue
            mark = "" if not is_matrix or not cell else " same" if x == y + 1 else " moved"
            cells.append(f'<td class="{"number" if is_right[x] else "words"}{mark}">{escape(cell)}')
        made.append("<tr>" + "".join(cells))
    return "\n".join([*made, "</table></div>"])


def _subject(words: Words, one: ChangedSubject) -> str:
    made = ["<section>", f"<h3>{escape(words.title(one))}</h3>"]
    for changes, causes in words.groups(one):
        if one.how == "changed":
            said = " · ".join(words.change(one.kind, change) for change in changes)
            made.append(f"<p class=change>{escape(said)}</p>")
        depth = 0
        made.append("<ul>")
        for cause in causes:
            for deep, line in words.cause(cause):
                while depth < deep:
                    made.append("<ul>")
                    depth += 1
                while depth > deep:
                    made.append("</ul>")
                    depth -= 1
                made.append(f"<li>{escape(line)}")
        made += ["</ul>"] * (depth + 1)
    return "\n".join([*made, "</section>"])
