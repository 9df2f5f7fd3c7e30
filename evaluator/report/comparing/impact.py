"""What the impact of a change of rules holds; its JSON Schema is that of `evaluator impact --format json`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from evaluator.pack.definitions import Pack
from evaluator.report.comparing.model import Cause, Comparison, Matrix

Direction = Literal["better", "worse", "yes", "no", "other"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Move(_Part):
    """A subject that comes to another value of a verdict."""

    key: str
    name: str = Field(description="what it is called")
    before: str | None
    after: str | None
    direction: Direction = Field(
        description="better, worse: by the levels of the verdict; yes, no: what it is now; other: it has no order"
    )


class VerdictImpact(_Part):
    """What becomes of a verdict."""

    kind: str
    verdict: str
    matrix: Matrix
    moves: tuple[Move, ...]


class Named(_Part):
    """A subject."""

    key: str
    name: str = Field(description="what it is called")


class OneSided(_Part):
    """A verdict that one of the packs has alone, of a kind that both have."""

    kind: str
    verdict: str
    is_new: bool = Field(description="whether it is the new rules that have it")
    counts: dict[str, int] = Field(description="by value, how many of the assessed have it; worst to best")
    yes: tuple[Named, ...] = Field(description="of a verdict that is yes or no: for whom it is yes")


class Totals(_Part):
    """Totals of a group of subjects, assessed ones only; exact, the mean to six places."""

    subjects: int
    sum: str
    mean: str
    least: str
    most: str


class GroupTotals(_Part):
    """Totals of a group before and after."""

    kind: str
    by: str = Field(description="the field by which subjects are grouped; empty for all of them")
    group: str | None = Field(description="its value; null where it has none, and for all")
    before: Totals | None = Field(description="null where the old rules have nobody in the group")
    after: Totals | None = Field(description="null where the new rules have nobody in the group")


class RuleImpact(_Part):
    """Something written in the packs that differs, and whom it moves."""

    rule: Cause
    subjects: int = Field(description="how many have a change that came from it, alone or with others")
    verdicts: dict[str, int] = Field(description="by kind.verdict, how many come to another value")
    others: int = Field(description="how many have other points or ranks by it, and the same verdicts")


class Figure(_Part):
    """A published figure that a run of the old or the new rules does not come to."""

    figure: str
    published: str
    before: str | None = Field(description="null where the old rules do not have it for the year")
    after: str | None = Field(description="null where the new rules do not have it for the year")


class OwnQuota(_Part):
    """How many places a quota of the pack has, and how many subjects are eligible for them."""

    verdict: str = Field(description="kind.verdict")
    eligible: int
    places: int
    is_met: bool = Field(description="whether no group has more eligible subjects than places")


class AskedQuota(_Part):
    """A quota that was asked for: how many have the value, and whether that is so many as asked."""

    asked: str
    subjects: int
    of: int = Field(description="how many have any value of the verdict; of these a share is")
    is_met: bool


class SweepPoint(_Part):
    """What the new rules come to with one value of the threshold."""

    value: str
    stops: str | None = Field(description="what stops the run with this value; null where nothing does")
    counts: dict[str, dict[str, int]] = Field(description="by kind.verdict and value: how many subjects")
    own_quotas: tuple[OwnQuota, ...]
    quotas: tuple[AskedQuota, ...]


class MetAt(_Part):
    """With which of the values tried a quota is met."""

    quota: str = Field(description="as asked, or kind.verdict of a quota of the pack")
    is_own: bool
    values: tuple[str, ...] = Field(description="the values with which it is met")
    below: str | None = Field(description="the nearest of them not above the value in the pack")
    above: str | None = Field(description="the nearest of them not below the value in the pack")


class Sweep(_Part):
    """What the new rules come to over a range of one threshold."""

    threshold: str = Field(description="the parameter, or kind.verdict:level:value")
    verdict: str | None = Field(description="kind.verdict whose rule has it; null for a parameter")
    at: str = Field(description="file and line")
    now: str = Field(description="the value in the pack")
    points: tuple[SweepPoint, ...]
    met: tuple[MetAt, ...]


class Impact(_Part):
    """Who would be affected by a change of rules. `str()` of it is the text."""

    old: str = Field(description="the folder of the old rules")
    new: str = Field(description="the folder of the new rules")
    data: str
    year: int
    comparison: Comparison = Field(description="the runs of both, compared; their folders are no longer there")
    verdicts: tuple[VerdictImpact, ...]
    one_sided: tuple[OneSided, ...]
    totals: tuple[GroupTotals, ...]
    rules: tuple[RuleImpact, ...] = Field(description="those that move most first")
    figures: tuple[Figure, ...]
    sweep: Sweep | None

    _pack: Pack = PrivateAttr()
    _asked_by: bool = PrivateAttr(default=False)
