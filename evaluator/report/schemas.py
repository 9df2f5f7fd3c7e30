"""The JSON Schema of everything a pack's author writes, and of everything that is printed as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from evaluator.pack.reading import schemas
from evaluator.report.appeal import Looked
from evaluator.report.comparing.model import Comparison
from evaluator.report.explaining.against import Against
from evaluator.report.explaining.document import Document
from evaluator.report.explaining.why_not import WhyNot

_PRINTED: dict[str, type[BaseModel]] = {
    "explain": Document,
    "explain --why-not": WhyNot,
    "explain --against": Against,
    "compare": Comparison,
    "appeal check": Looked,
}


def published_schemas() -> dict[str, Any]:
    """Return the schemas of files by the pattern of their names, and of what commands print by the command."""
    return schemas() | {command: model.model_json_schema() for command, model in _PRINTED.items()}
