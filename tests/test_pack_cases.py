"""Every pack of the repository comes with cases; each case comes out as it says, and together they reach all rules."""

import time
from pathlib import Path

import pytest
from conftest import ROOT

import evaluator
from evaluator.workbench.cases.coverage import measure_coverage
from evaluator.workbench.cases.run import run_cases
from evaluator.workbench.cases.seen import Seen

RULES = ROOT / "rules"
PACKS = sorted(path.parent for path in RULES.rglob("pack.yaml"))
SECONDS_A_CASE = 10
"""A case takes some 0.2 seconds; this is to see that it never takes long."""
NOT_WHOLE: frozenset[str] = frozenset()
"""Packs whose cases do not reach every rule and every condition both ways yet."""


def name_of(pack: Path) -> str:
    return pack.relative_to(RULES).as_posix()


@pytest.mark.parametrize("pack", PACKS, ids=name_of)
def test_cases(pack: Path) -> None:
    evaluator.load_pack(pack)
    seen = Seen()
    begin = time.monotonic()
    outcomes = list(run_cases(pack, seen.observe))
    assert outcomes
    assert not [str(outcome) for outcome in outcomes if not outcome.is_ok]
    assert time.monotonic() - begin < SECONDS_A_CASE * (1 + len(outcomes))
    if name_of(pack) not in NOT_WHOLE:
        coverage = measure_coverage(pack, seen)
        assert not list(map(str, coverage.needed))
        assert not list(map(str, coverage.problems))
