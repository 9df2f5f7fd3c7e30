"""The programs of the bench agree on a small nation, so that what it measures stays the same job."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import appeal
import duckdb
import evidence
import floor
import page
import pytest
from generate import YEAR, generate
from measuring import HERE, Figures, Result
from peers import PEERS

import evaluator

PYTHON_PEERS = [peer for peer in PEERS if peer.name != "json_rules"]
NONE = Figures(0, 0, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(500, tmp_path_factory.mktemp("nation") / "data")


@pytest.fixture(scope="module")
def by_hand(data: Path) -> Path:
    out = data.parent / "by-hand.parquet"
    floor.job(data, out)
    return out


@pytest.fixture(scope="module")
def run(data: Path) -> Path:
    out = data.parent / "run"
    evaluator.run(HERE / "pack", data, YEAR, out)
    return out


def compared(ours: str, out: Path) -> tuple[int, int, int]:
    found: tuple[int, int, int] = duckdb.sql(floor.SAME.format(ours=ours, out=out)).fetchall()[0]
    return found


def test_evaluator_and_the_job_by_hand_agree(run: Path, by_hand: Path) -> None:
    assert compared(floor.ours_of(run), by_hand) == (500, 500, 0)


@pytest.mark.parametrize("peer", PYTHON_PEERS, ids=lambda peer: peer.name)
def test_peers_agree(peer: page.Peer, data: Path, by_hand: Path) -> None:
    if find_spec(peer.library) is None:
        pytest.skip(f"{peer.library} is not installed")
    out = data.parent / f"{peer.name}.parquet"
    subprocess.run([sys.executable, "-m", "peers", peer.name, data, out], cwd=HERE, check=True)
    assert compared(f"from '{out}'", by_hand) == (500, 500, 0)


@pytest.fixture(scope="module")
def written(data: Path) -> Path:
    out = data.parent / "written"
    evidence.write(data, out)
    return out


def test_evaluator_leaves_what_is_written_by_hand(run: Path, written: Path) -> None:
    assert evidence.same(run, written) == []


@pytest.mark.parametrize("name", sorted(evidence.OURS.keys() - {"rosters/member.commended"}))  # nobody, of so few
def test_whatever_is_not_the_same_by_hand_is_seen(run: Path, written: Path, name: str, tmp_path: Path) -> None:
    other = shutil.copytree(written, tmp_path / "other")
    file = other / f"{evidence.OURS[name][0]}.parquet"
    left = duckdb.sql(f"from '{file}' limit 20").to_arrow_table()
    duckdb.from_arrow(left).write_parquet(str(file))
    assert [line.split(":")[0] for line in evidence.same(run, other)] == [name]


def test_a_wrong_answer_is_seen(data: Path, by_hand: Path) -> None:
    wrong = data.parent / "wrong.parquet"
    changed = f"select * replace (if(id = 7, final + 1, final) as final) from '{by_hand}'"
    duckdb.sql(f"copy ({changed}) to '{wrong}' (format parquet)")
    assert compared(f"from '{wrong}'", by_hand) == (500, 500, 1)


@pytest.fixture(scope="module")
def amended(data: Path, run: Path) -> Path:
    cases, out = data.parent / "cases", data.parent / "amended"
    appeal.write(data, cases)
    evaluator.run(HERE / "pack", data, YEAR, out, appeals=cases, supersedes=run)
    return out


def test_an_accepted_appeal_touches_nobody_else(run: Path, amended: Path) -> None:
    assert appeal.apart(run, amended) == []


def test_an_accepted_appeal_comes_to_the_bytes_of_mended_data(data: Path, run: Path, amended: Path) -> None:
    mended, of_mended = data.parent / "mended", data.parent / "of-mended"
    appeal.mend(data, mended)
    evaluator.run(HERE / "pack", mended, YEAR, of_mended)
    assert appeal.same(amended, of_mended) == []
    assert "subjects/member.parquet" in appeal.same(run, of_mended)


def test_whatever_else_an_appeal_changes_is_seen(run: Path, amended: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(amended, tmp_path / "amended")
    file = folder / "verdicts" / "member.parquet"
    changed = duckdb.sql(f"select * replace (if(key = '7', 'none', value) as value) from '{file}'").to_arrow_table()
    duckdb.from_arrow(changed).write_parquet(str(file))
    shutil.copy(run / "score_lines" / "member.parquet", folder / "score_lines")
    found = appeal.apart(run, folder)
    assert [line.split(":")[0] for line in found] == ["score_lines/member", "verdicts/member"]


def result(members: int, **seconds: float) -> Result:
    return Result(members, 0, 0, 0, {}, NONE, {name: Figures(s, 0, 0) for name, s in seconds.items()})


def test_a_size_that_was_not_tried_is_reckoned_from_what_more_members_took() -> None:
    results = [result(10, slow=2), result(100, slow=11), result(1000)]
    assert page.reckoned(results, "slow", 1000) == pytest.approx(101)
    assert page.reckoned(results[1:], "slow", 1000) is None
