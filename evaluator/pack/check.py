"""From the files of a pack to a checked `Pack`: names resolved, expressions typed, everything wrong said at once.

context           what is known so far, passed to every check
scopes            where names are looked up, and what each stands for
formulas          expressions compiled in their scope, and literals typed
check_names       reserved names, names with two meanings, clauses
check_dates       terms, holidays, what is in force in no year
check_parameters  constants and tables of values
check_tables      fields, keys, rows unfolded and expected, circles
check_measures    measures, control totals, the ways from records to subjects
check_scores      lines of the score
check_verdicts    rules, formulas, quotas
check_kinds       a kind as a whole, its exceptions and rosters
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluator.diagnostics import Problems, Stop
from evaluator.pack.check_dates import check_dates
from evaluator.pack.check_kinds import check_kind
from evaluator.pack.check_measures import check_aggregate, measure_symbol
from evaluator.pack.check_names import check_clauses, check_names
from evaluator.pack.check_parameters import check_parameter, parameter_type
from evaluator.pack.check_tables import check_table, define_field, field_symbol
from evaluator.pack.check_verdicts import verdict_symbol
from evaluator.pack.context import Context, OnDemand, make_context
from evaluator.pack.definitions import ControlDef, Pack, TableDef
from evaluator.pack.derivation import Derivation
from evaluator.pack.model import Kind, PackFile
from evaluator.pack.reading import read_model
from evaluator.pack.source import read_yaml


@dataclass(frozen=True, slots=True)
class Written:
    """The files of a pack, read and not checked against each other yet."""

    folder: Path
    pack_file: PackFile
    kinds: list[Kind]
    contents: dict[str, bytes]

    def checked(self, for_cases: bool = False) -> Pack:
        """Return the pack; raise Stop with everything that is wrong.

        For cases, a field that must be filled in sheets may be left out, and is unknown where it is.
        """
        problems = Problems()
        on_demand = OnDemand(field_symbol, measure_symbol, verdict_symbol, parameter_type)
        context = make_context(self.pack_file, self.kinds, problems, on_demand)
        context.for_cases = for_cases
        checked = _check(context, self.folder, self.contents)
        problems.stop_on_errors()
        return checked


def load_pack(folder: Path, for_cases: bool = False) -> Pack:
    """Read and check the pack in a folder; raise Stop with everything that is wrong."""
    return read_pack(folder).checked(for_cases)


def read_pack(folder: Path) -> Written:
    """Read the files of a pack; raise Stop with everything that is wrong with each by itself."""
    problems = Problems()
    files = sorted(path for path in folder.glob("*.yaml")) if folder.is_dir() else []
    main = folder / "pack.yaml"
    if main not in files:
        why = f"{folder} has no pack.yaml" if folder.is_dir() else f"there is no folder {folder}"
        problems.add("P101", why, fix="name the folder that holds pack.yaml")
        raise Stop(problems)
    pack_file: PackFile | None = None
    kinds: list[Kind] = []
    for path in files:
        tree = read_yaml(path, path.as_posix(), problems)
        if tree is None:
            continue
        if path == main:
            pack_file = read_model(PackFile, tree, problems)
        elif (kind := read_model(Kind, tree, problems)) is not None:
            kinds.append(kind)
    problems.stop_on_errors()
    assert pack_file is not None
    return Written(folder, pack_file, kinds, {f.name: f.read_bytes() for f in files})


def _check(context: Context, folder: Path, files: dict[str, bytes]) -> Pack:
    """Check everything, in an order in which each part finds known what it rests on."""
    file = context.file
    check_names(context)
    check_dates(context)
    for name in file.parameters:
        check_parameter(context, name)
    tables = _check_tables(context)
    kinds = {name: check_kind(context, kind, tables[name]) for name, kind in context.kinds.items()}
    controls = [
        ControlDef(control, aggregate)
        for control in file.reconcile
        if (aggregate := check_aggregate(context, control, None)) is not None
    ]
    check_clauses(context)
    return Pack(
        name=str(file.pack),
        folder=folder,
        title={str(k): str(v) for k, v in file.title.items()},
        language=file.language,
        shown_in=file.language,
        period=file.period,
        gap=file.history.gap if file.history else None,
        in_force=file.in_force,
        follows=tuple(map(str, file.follows)),
        terms=tuple(file.terms),
        reads_term=tuple(sorted(set(context.reads_term))),
        holidays=file.holidays,
        appeals=file.appeals,
        clauses={str(name): clause for name, clause in file.clauses.items()},
        parameters=context.parameters,
        tables=tables,
        kinds=kinds,
        controls=tuple(controls),
        labels={lang: {str(k): str(v) for k, v in words.items()} for lang, words in file.labels.items()},
        files=files,
        for_cases=context.for_cases,
    )


def _check_tables(context: Context) -> dict[str, TableDef]:
    for derived in (False, True):  # derived fields read the others
        for owner, model in context.models.items():
            for field_name, field in model.fields.items():
                if field.is_derived is derived:
                    define_field(context, owner, field_name, field)
    tables = {name: check_table(context, name, model) for name, model in context.models.items()}
    Derivation(tables, context.parameters).note_circles(context.problems)
    return tables
