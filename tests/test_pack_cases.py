"""Every pack of the repository comes with cases: each comes out as it says, and together they reach all rules.

And what is stated of everybody is proved, or excepted in the pack with its reason.
"""

import time
from pathlib import Path

import pytest
from conftest import ROOT

import evaluator
from evaluator.engine.run import Assessment
from evaluator.workbench.cases.coverage import measure_coverage
from evaluator.workbench.cases.run import run_cases
from evaluator.workbench.cases.seen import Seen
from evaluator.workbench.proving.prove import prove
from evaluator.workbench.proving.witnesses import Witnesses

RULES = ROOT / "rules"
PACKS = sorted(path.parent for path in RULES.rglob("pack.yaml"))
SECONDS_A_CASE = 10
"""A case takes some 0.2 seconds; this is to see that it never takes long."""


def name_of(pack: Path) -> str:
    return pack.relative_to(RULES).as_posix()


@pytest.mark.parametrize("pack", PACKS, ids=name_of)
def test_pack(pack: Path) -> None:
    evaluator.load_pack(pack)
    seen, witnesses = Seen(), Witnesses()
    begin = time.monotonic()
    outcomes = []

    def observe(assessment: Assessment) -> None:
        seen.observe(assessment)
        witnesses.observe(assessment)

    for outcome in run_cases(pack, observe):
        witnesses.take(outcome)
        outcomes.append(outcome)
    assert outcomes
    assert not [str(outcome) for outcome in outcomes if not outcome.is_ok]
    assert time.monotonic() - begin < SECONDS_A_CASE * (1 + len(outcomes))
    coverage = measure_coverage(pack, seen)
    assert not list(map(str, coverage.needed))
    assert not list(map(str, coverage.problems))
    proof = prove(pack, shown=witnesses.shown)
    assert [one for one in proof.statements if not one.is_ok] == []
    assert proof.needless == []
