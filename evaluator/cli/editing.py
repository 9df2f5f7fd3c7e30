"""Commands for writing packs: schema."""

from __future__ import annotations

from evaluator.cli.common import app


@app.command()
def schema() -> None:
    """Print the JSON Schema of pack files.

    One schema for pack.yaml, one for the files of the kinds, one for cases and one for appeals, under the patterns of
    their names; and one for what each command prints as JSON.
    """
    import json

    from evaluator.report.schemas import published_schemas

    print(json.dumps(published_schemas(), ensure_ascii=False, indent=1))
