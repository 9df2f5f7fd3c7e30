"""JSON lines: one flat object a line, numbers with their digits as written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.data.sheets import BLANK, Column, Fault, Faults, Found, Row, Sheet, clean, is_blank
from evaluator.data.text_files import scan


def find_objects(path: Path, faults: Faults) -> Iterator[Found]:
    """Find all keys of a JSON lines file, in the order in which they first appear."""
    text, keys = scan(path), dict[str, int]()
    for line, record in _objects(path, text.encoding, faults):
        for key in record:
            keys.setdefault(key, line)
    if keys:
        yield "", [Column(clean(key), key, line) for key, line in keys.items()], text


def object_rows(sheet: Sheet, faults: Faults) -> Iterator[Row]:
    """Read the objects; a key that one lacks is null."""
    assert sheet.text is not None
    for line, record in _objects(sheet.path, sheet.text.encoding, faults):
        yield line, [record.get(place) for place in sheet.places]


def _objects(path: Path, encoding: str, faults: Faults) -> Iterator[tuple[int, dict[str, str | None]]]:
    """Read the objects of a JSON lines file; a number keeps its digits as they are written."""
    decode = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str, parse_constant=_refuse).decode
    with path.open(encoding=encoding, newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip(BLANK):
                continue
            try:
                record = _flat(decode(line))
                if "\\u" in line and "\0" in "".join(map(str, (*record, *record.values()))).encode().decode():
                    raise ValueError("a text holds the character NUL")
            except json.JSONDecodeError as error:
                faults.add(Fault(f"the line is not JSON: {error.msg} (character {error.colno})", number))
            except UnicodeEncodeError:
                faults.add(Fault("a text holds half a character", number))
            except RecursionError:
                faults.add(Fault("the line is nested too deeply", number))
            except ValueError as error:
                faults.add(Fault(str(error), number))
            else:
                if not is_blank(record.values()):
                    yield number, record


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the line has a key twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _flat(found: object) -> dict[str, str | None]:
    if not isinstance(found, dict):
        raise ValueError("the line is not an object")
    for key, value in found.items():
        if isinstance(value, bool):
            found[key] = str(value).lower()
        elif isinstance(value, dict | list):
            raise ValueError(f'"{key}" is not a single value')
    return found
