"""All that is looked for in a pack that can be read."""

from __future__ import annotations

from collections.abc import Iterable

from evaluator.diagnostics import Problems
from evaluator.pack.check_case import CaseDef
from evaluator.pack.definitions import Pack
from evaluator.workbench.checking.awards import check_awards, check_quotas
from evaluator.workbench.checking.bands import check_bands
from evaluator.workbench.checking.conditions import check_conditions
from evaluator.workbench.checking.rules import check_rules
from evaluator.workbench.checking.sites import Looked
from evaluator.workbench.checking.tables import check_tables, check_versions
from evaluator.workbench.checking.unknowns import check_quotients, check_silent
from evaluator.workbench.checking.unused import check_grounds, check_unused


def lint(pack: Pack, cases: Iterable[CaseDef], problems: Problems) -> None:
    """Note what is probably wrong with a pack that can be run."""
    looked = Looked(pack)
    check_unused(looked, cases, problems)
    for check in (
        check_grounds, check_bands, check_rules, check_conditions, check_quotas, check_quotients, check_silent,
        check_tables, check_versions, check_awards,
    ):  # fmt: skip
        check(looked, problems)
