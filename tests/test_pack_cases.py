"""Every pack of the repository comes with cases, and each case comes out as it says."""

import time
from pathlib import Path

import pytest
from conftest import ROOT

import evaluator
from evaluator.workbench.cases.run import run_cases

RULES = ROOT / "rules"
PACKS = sorted(path.parent for path in RULES.rglob("pack.yaml"))
SECONDS_A_CASE = 5
"""A case takes some 0.2 seconds; this is to see that it never takes long."""


def name_of(pack: Path) -> str:
    return pack.relative_to(RULES).as_posix()


@pytest.mark.parametrize("pack", PACKS, ids=name_of)
def test_cases(pack: Path) -> None:
    evaluator.load_pack(pack)
    begin = time.monotonic()
    outcomes = list(run_cases(pack))
    assert outcomes
    assert not [str(outcome) for outcome in outcomes if not outcome.is_ok]
    assert time.monotonic() - begin < SECONDS_A_CASE * (1 + len(outcomes))
