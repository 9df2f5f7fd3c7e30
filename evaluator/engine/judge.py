"""Conclude verdicts for situations with durable-rules: the program of a child process.

The only module that knows durable-rules, and never imported by the rest: `decide.py` runs it as a child, since the
engine is native code that a slip can bring down. Reads JSON documents on standard input, a line each, {"rules": […],
"situations": […]}, and for each writes one JSON line a situation, then {"done": n}.

What keeps durable-rules exact (see docs/decisions/0003-durable-rules.md): a host without its dispatching threads;
one situation at a time; facts of truth values and words only; rules that are all positive; at most 60 rules a
ruleset, each ruleset with a rule that always fires; actions that only note what fired.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from durable.engine import Host, MessageNotHandledException

RULES_A_SET = 60


class _QuietHost(Host):  # type: ignore[misc]
    """A host that dispatches nothing by itself; its own threads lose conclusions."""

    def _run(self) -> None:
        pass


class Judge:
    """Rules compiled into rulesets of one host."""

    def __init__(self, rules: list[dict[str, Any]]) -> None:
        self.fired: list[Any] = []
        self.seen: list[int] = []
        self.readers: dict[tuple[str, str], set[str]] = defaultdict(set)
        sets: dict[str, dict[str, Any]] = {}
        for place, rule in enumerate(rules):
            name = f"set{place // RULES_A_SET}"
            patterns = self._patterns(rule)
            names = [next(iter(pattern)) for pattern in patterns]
            sets.setdefault(name, {})[f"rule{place}"] = {"all": patterns, "run": self._action(rule, names)}
            for verdict, values in rule["verdicts"].items():
                for value in values:
                    self.readers[verdict, value].add(name)
        for ruleset in sets.values():
            always = {"all": [{"situation": {"kind": "situation"}}], "run": lambda _: self.seen.append(1)}
            ruleset["always"] = always
        self.names = sorted(sets)
        self.host = _QuietHost(sets)

    @staticmethod
    def _patterns(rule: dict[str, Any]) -> list[dict[str, Any]]:
        gates = [{gate: value} for gate, value in rule["gates"].items()]
        patterns: list[dict[str, Any]] = []
        if gates or not rule["verdicts"]:
            patterns.append({"situation": {"$and": [{"kind": "situation"}, *gates]}})
        for place, (verdict, values) in enumerate(rule["verdicts"].items()):
            one_of = {"is": values[0]} if len(values) == 1 else {"$or": [{"is": value} for value in values]}
            patterns.append({f"verdict{place}": {"$and": [{"kind": "verdict"}, {"of": verdict}, one_of]}})
        return patterns

    def _action(self, rule: dict[str, Any], names: list[str]) -> Callable[[Any], None]:
        def note(closure: Any) -> None:
            try:  # an exception would be swallowed by the engine
                found = closure._m
                facts = [found[name] for name in names] if found and names[0] in found else [found]
                support = sorted((fact["of"], fact["is"]) for fact in facts if fact["kind"] == "verdict")
                self.fired.append((rule["id"], rule["verdict"], rule["value"], support))
            except BaseException as wrong:
                self.fired.append(wrong)

        return note

    def judge(self, situation: dict[str, Any]) -> dict[str, Any]:
        """Return what is concluded of a situation: verdict → value, and every firing with its support."""
        self.seen.clear()
        todo: list[tuple[dict[str, Any], list[str]]] = [(dict(situation, kind="situation"), self.names)]
        concluded: dict[str, str] = {}
        conflicts: set[str] = set()
        firings: set[tuple[int, tuple[tuple[str, str], ...]]] = set()
        while todo:
            fact, names = todo.pop()
            for name in names:
                self.fired.clear()
                try:
                    self.host.assert_fact(name, dict(fact))
                except MessageNotHandledException:
                    continue
                for fired in self.fired:
                    if isinstance(fired, BaseException):
                        raise fired
                    rule, verdict, value, support = fired
                    firings.add((rule, tuple(map(tuple, support))))
                    if verdict not in concluded:
                        concluded[verdict] = value
                        readers = sorted(self.readers.get((verdict, value), ()))
                        todo.append(({"kind": "verdict", "of": verdict, "is": value}, readers))
                    elif concluded[verdict] != value:
                        conflicts.add(verdict)
        if len(self.seen) != len(self.names):
            raise RuntimeError("a situation was not seen by every ruleset")
        for name in self.names:
            self.host.delete_state(name, None)
        return {"concluded": concluded, "conflicts": sorted(conflicts), "fired": sorted(firings)}


def main() -> None:
    """Judge the situations of each document on standard input."""
    logging.getLogger("durable").setLevel(logging.CRITICAL)
    for line in sys.stdin:
        document = json.loads(line)
        judge = Judge(document["rules"])
        for situation in document["situations"]:
            print(json.dumps(judge.judge(situation)))
        print(json.dumps({"done": len(document["situations"])}), flush=True)


if __name__ == "__main__":
    main()
