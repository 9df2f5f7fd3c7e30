"""Conclude verdicts: families of rules, compiled to gates and positive rules, judged once a situation.

A family is a set of verdicts connected by what they read. Its gates are the largest conditions that read none of its
verdicts; SQL computes them, and subjects with the same gates are in the same situation. The rules over gates and
verdicts are all positive, so that nothing is ever concluded from absence. Each situation is judged twice, by
durable-rules in a child process and by a plain fixpoint here; they must agree.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

from evaluator.diagnostics import Problems, Span, Stop
from evaluator.engine.families import Family

SECONDS_TO_JUDGE = 600


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is concluded of one situation."""

    concluded: dict[str, str]
    conflicts: tuple[str, ...]
    fired: tuple[tuple[int, tuple[tuple[str, str], ...]], ...]


def judge(family: Family, situations: list[dict[str, object]], bench: Bench) -> list[Judgement]:
    """Judge situations of a family, by durable-rules and again by a fixpoint; they must agree.

    A situation maps each gate of its family to its value.
    """
    answers = _by_durable_rules(family, situations, bench) if situations else []
    for situation, answer in zip(situations, answers, strict=True):
        again = _by_fixpoint(family, situation)
        # where rules disagree, what follows from them depends on their order, and the run stops anyway
        if answer != again and not (answer.conflicts and again.conflicts):
            raise Stop.of("E103", f"{family}, situation {situation}", family.verdicts[0].at)
    return answers


def _by_fixpoint(family: Family, situation: dict[str, object]) -> Judgement:
    concluded: dict[str, str] = {}
    conflicts: set[str] = set()
    fired: dict[int, tuple[tuple[str, str], ...]] = {}
    is_new = True
    while is_new:
        is_new = False
        for rule in family.rules:
            if rule.id in fired or any(situation[gate] != value for gate, value in rule.gates.items()):
                continue
            if all(concluded.get(name) in values for name, values in rule.verdicts.items()):
                fired[rule.id] = tuple(sorted((name, concluded[name]) for name in rule.verdicts))
                is_new = True
                if concluded.setdefault(rule.verdict, rule.value) != rule.value:
                    conflicts.add(rule.verdict)
    return Judgement(
        {v: value for v, value in concluded.items() if v not in conflicts},
        tuple(sorted(conflicts)),
        tuple(sorted(fired.items())),
    )


def _by_durable_rules(family: Family, situations: list[dict[str, object]], bench: Bench) -> list[Judgement]:
    """Ask the child; verdicts travel under plain ASCII names, as the engine hashes names."""
    code = {v.name: f"v{place}" for place, v in enumerate(family.verdicts)}
    back = {short: name for name, short in code.items()}
    words: dict[tuple[str, str], str] = {}
    plain: dict[tuple[str, str], str] = {}

    def short_word(verdict: str, value: str) -> str:
        if (verdict, value) not in words:
            words[verdict, value] = f"w{len(words)}"
            plain[code[verdict], words[verdict, value]] = value
        return words[verdict, value]

    rules = [
        {
            "id": rule.id,
            "verdict": code[rule.verdict],
            "value": short_word(rule.verdict, rule.value),
            "gates": rule.gates,
            "verdicts": {code[v]: [short_word(v, x) for x in values] for v, values in rule.verdicts.items()},
        }
        for rule in family.rules
    ]
    lines = bench.ask({"rules": rules, "situations": situations}, len(situations), family.verdicts[0].at)
    answers = []
    for line in lines:
        fired = tuple(
            (rule, tuple(sorted((back[v], plain[v, w]) for v, w in support))) for rule, support in line["fired"]
        )
        conflicts = tuple(sorted(back[v] for v in line["conflicts"]))
        concluded = {back[v]: plain[v, w] for v, w in line["concluded"].items() if back[v] not in conflicts}
        answers.append(Judgement(concluded, conflicts, fired))
    return answers


class Bench:
    """The child process in which durable-rules judges; started at once, as it takes a while to be ready."""

    def __init__(self) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self.child = subprocess.Popen(
            [sys.executable, "-m", "evaluator.engine.judge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            encoding="utf-8",
        )

    def close(self) -> None:
        """End the child."""
        self.child.kill()
        self.child.communicate()
        self.errors.close()

    def ask(self, document: dict[str, object], count: int, at: Span) -> list[Any]:
        """Return the child's answers; raise Stop where one is missing or takes too long."""
        assert self.child.stdin is not None and self.child.stdout is not None
        is_late = False

        def give_up() -> None:
            nonlocal is_late
            is_late = True
            self.child.kill()

        timer = threading.Timer(SECONDS_TO_JUDGE, give_up)
        timer.start()
        lines: list[Any] = []
        try:
            self.child.stdin.write(json.dumps(document) + "\n")
            self.child.stdin.flush()
            for line in self.child.stdout:
                answer = json.loads(line)
                if "done" in answer:
                    break
                lines.append(answer)
            if len(lines) == count and answer == {"done": count}:
                return lines
        except (OSError, ValueError, TypeError, UnboundLocalError):
            pass
        finally:
            timer.cancel()
        raise Stop(self._failure(len(lines), count, is_late, at))

    def _failure(self, answered: int, count: int, is_late: bool, at: Span) -> Problems:
        problems = Problems()
        self.child.kill()
        code = self.child.wait()
        self.errors.seek(0)
        said = self.errors.read().decode("utf-8", "replace")
        last = (said.strip().splitlines() or [f"it ended with {code}"])[-1]
        if is_late:
            problems.add("E102", f"durable-rules did not answer within {SECONDS_TO_JUDGE} s", at)
        elif "ImportError" in said or "ModuleNotFoundError" in said:
            problems.add("E101", f"durable-rules cannot be loaded: {last}")
        else:
            problems.add("E102", f"durable-rules answered {answered} of {count} situations: {last}", at)
        return problems
