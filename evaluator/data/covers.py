"""Which time a data folder covers, as its data.yaml says, and whether all that is counted lies in it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from evaluator.data.sources import SETTINGS_FILE
from evaluator.diagnostics import Problems
from evaluator.pack.definitions import Pack
from evaluator.pack.model_base import Model
from evaluator.pack.reading import read_model
from evaluator.pack.scalars import Day
from evaluator.pack.source import read_yaml
from evaluator.pack.windows import Settings, counted, span_of


class Covers(Model):
    """The days of which the folder has all records."""

    from_: Day = Field(alias="from", description="the first day")
    to: Day = Field(description="the last day")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to < self.from_:
            raise PydanticCustomError("value", "what is covered ends after it begins")
        return self


class DataFile(Model):
    """data.yaml: what is to be known of a data folder."""

    covers: Covers | None = Field(None, description="the time it covers; the year assessed if left out")


def check_covers(
    pack: Pack, folder: Path, settings: Settings, problems: Problems, named: str | None = None
) -> tuple[dt.date, dt.date]:
    """Return the first and last day a folder covers; note what counts records of days it does not."""
    start, end = span_of(None, settings)
    assert start is not None
    declared, file = None, folder / SETTINGS_FILE
    shown = f"{named or folder.as_posix()}/{SETTINGS_FILE}"
    if file.is_file():
        tree = read_yaml(file, shown, problems)
        read = read_model(DataFile, tree, problems) if tree is not None else None
        declared = read.covers if read is not None else None
    first, last = (declared.from_, declared.to) if declared is not None else (start, end)
    if problems.has_errors:
        return first, last
    if declared is not None and (start < first or end > last):
        message = f"the year goes from {start} to {end}, and the data covers {first} to {last}"
        problems.add("D106", message, declared.at)
    for name, made, at in counted(pack, int(str(settings["this_year"]))):
        needed, _ = span_of(made.period, settings)
        if made.period is not None and needed is not None and needed < first:
            message = f"{name} counts {made.source} from {needed} on, and the data covers {first} to {last}"
            fix = f"add the records, and say so in {shown}: covers: {{from: {needed}, to: {last}}}"
            problems.add("D106", message, made.period.at, fix, [(at, name)] if at.line != made.period.at.line else ())
    return first, last
