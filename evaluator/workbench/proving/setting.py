"""What every proof about a kind starts from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.diagnostics import Diagnostic, Span, Stop
from evaluator.engine.plan import Value as Planned
from evaluator.pack.definitions import KindDef, Pack
from evaluator.report.proofs import Statement, Status
from evaluator.solve.moves import Moves
from evaluator.workbench.proving.anyone import Anyone
from evaluator.workbench.proving.signs import Sign, Signs
from evaluator.workbench.proving.somebody import Made, Somebody, Standings, judged_again


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind, how its values move, and the means to look for subjects.

    `anyone` gives any subject at all, or what becomes of one after things got better; `somebody` one of records.
    `open` are measures and fields of which nobody has said which way is better. `shown` gives the values that subjects
    of the cases come to, by kind and verdict, each with who that is.
    """

    pack: Pack
    kind: KindDef
    signs: Signs
    seconds: float
    standings: Standings
    moves: Moves
    anyone: Callable[..., Anyone]
    somebody: Callable[..., Somebody]
    declared: dict[str, Sign]
    open: list[str]
    shown: Callable[[], dict[tuple[str, str, object], str]]

    def judged(self, made: Made, wanted: Sequence[Planned]) -> list[object] | Diagnostic:
        """Return what a made-up subject comes to by the engine; or why a run would stop."""
        try:
            return judged_again(self.standings, self.kind.name, made, wanted)
        except Stop as stopped:
            return stopped.problems[0]

    @property
    def left_out(self) -> list[str]:
        """What records make none of ours, and why."""
        return list(dict.fromkeys(what for _, what in self.moves.left_out))

    def statement(
        self, name: str, of: str, status: Status, grounds: str, at: Span, value: str = "", example: Made | None = None,
        **more: Any,
    ) -> Statement:  # fmt: skip
        """Return a statement about the kind."""
        if status != "proved" and "fix" not in more:
            which = f", value: {value}" if value else ""
            except_ = f"except: [{{statement: {name}, of: {of}{which}, because: …}}]"
            more["fix"] = f"mend the rules; or, if they are meant so, say under prove in {at.file}: {except_}"
        return Statement(
            statement=name, kind=self.kind.name, of=of, value=value, status=status, grounds=grounds,
            example=str(example) if example is not None else "",
            records=sum(n for _, n in example.records) if example is not None else None,
            file=at.file, line=at.line, **more,
        )  # fmt: skip


def verdict_value(name: str, kind: KindDef) -> Planned:
    """Return the value of a verdict in the plan."""
    return Planned(kind.name, "verdict", name)
