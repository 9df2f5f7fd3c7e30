"""Pages of HTML that stand by themselves: printable on A4, readable without JavaScript, on a telephone too."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def page(template: str, **values: Any) -> str:
    """Return a page made from one of the templates beside this module; every value is escaped."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("evaluator.report"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
