"""The graph of a pack drawn: columns from left to right by what is read first, a lane for each kind, as SVG.

Whoever reads stands to the right of what it reads. A line that crosses a column has a place of its own there, which
lines from the same box share, and so it runs between boxes. Places within a column are found by going over the columns
a few times: each is put as near to what it is joined with as the others in its column allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from wcwidth import wcswidth

from evaluator.pack.definitions import Pack
from evaluator.report.words import say
from evaluator.workbench.editing.graph import COLORS, SORTS, Edge, Node, Reading

HEIGHT, GAP, THIN = 36, 10, 6  # of a box, between two, and of the place of a line
BETWEEN, MARGIN, LANE_GAP, TITLE = 64, 20, 18, 22
CELL = 6.6  # the width of a terminal cell in letters of 12
SWEEPS = 24
FONT = "'Noto Sans CJK SC', 'Microsoft YaHei', 'PingFang SC', sans-serif"


@dataclass(slots=True, eq=False)
class Box:
    """A node, or the place of a line that crosses a column."""

    column: int
    lane: int
    node: Node | None
    source: str
    before: list[Box] = field(default_factory=list)
    after: list[Box] = field(default_factory=list)
    x: float = 0
    y: float = 0
    """The middle."""

    @property
    def height(self) -> int:
        """How high it is."""
        return HEIGHT if self.node is not None else THIN

    @property
    def width(self) -> float:
        """How wide its words are."""
        if self.node is None:
            return 0
        return max(CELL * max(wcswidth(self.node.label), 0), CELL * 0.85 * max(wcswidth(_second(self.node)), 0)) + 20


@dataclass(slots=True)
class Drawing:
    """Boxes by node name, the boxes each edge goes through, and lanes with their top and bottom."""

    boxes: dict[str, Box]
    paths: dict[Edge, list[Box]]
    lanes: list[tuple[str, float, float]]
    widths: list[float]
    """Of the columns."""
    width: float
    height: float


def drawn(pack: Pack, reading: Reading) -> str:
    """Return the graph as an SVG that stands by itself."""
    return _svg(pack, lay_out(pack, reading))


# --- layout -----------------------------------------------------------------------------------------------


def lay_out(pack: Pack, reading: Reading) -> Drawing:
    """Return where everything stands; boxes do not overlap."""
    columns, lanes = _columns(reading), _lanes(pack, reading)
    boxes = {name: Box(columns[name], lanes[name], node, name) for name, node in reading.nodes.items()}
    paths, thin = _routes(reading, boxes)
    everything = [*boxes.values(), *thin]
    cells: dict[int, list[Box]] = {}
    for box in everything:
        cells.setdefault(box.column, []).append(box)
    count = max(cells, default=0) + 1
    lane_names = ["", *pack.kinds]
    bottoms = _place(cells, count, sorted({box.lane for box in everything}), lane_names)
    widths = [max((box.width for box in cells.get(column, ())), default=0.0) for column in range(count)]
    x = float(MARGIN)
    for column in range(count):
        for box in cells.get(column, ()):
            box.x = x
        x += widths[column] + BETWEEN
    height = max((bottom for _, _, bottom in bottoms), default=0) + MARGIN
    return Drawing(boxes, paths, bottoms, widths, x - BETWEEN + MARGIN, height)


def _columns(reading: Reading) -> dict[str, int]:
    """Return each node's column: after all it reads; rosters in the last, lines next to what adds them up."""
    read: dict[str, list[str]] = {name: [] for name in reading.nodes}
    readers: dict[str, list[str]] = {name: [] for name in reading.nodes}
    for edge in reading.edges:
        if not edge.is_earlier or not _leads_to(reading, edge.target, edge.source):
            read[edge.target].append(edge.source)
            readers[edge.source].append(edge.target)
    found: dict[str, int] = {}

    def column(name: str) -> int:
        if name not in found:
            found[name] = 0  # where tables are made of each other
            found[name] = max((column(other) + 1 for other in read[name]), default=0)
        return found[name]

    order = sorted(reading.nodes, key=column)
    last = max(found.values(), default=0)
    for name in reversed(order):
        sort = reading.nodes[name].sort
        if sort == "roster":
            found[name] = last
        elif sort == "line" and readers[name]:
            found[name] = max(found[name], min(found[other] for other in readers[name]) - 1)
    return found


def _leads_to(reading: Reading, start: str, end: str) -> bool:
    """Whether what a node reads of this year leads back to another: then years follow each other in a circle."""
    todo, seen = [start], {start}
    while todo:
        name = todo.pop()
        if name == end:
            return True
        for edge in reading.edges:
            if edge.source == name and not edge.is_earlier and edge.target not in seen:
                seen.add(edge.target)
                todo.append(edge.target)
    return False


def _lanes(pack: Pack, reading: Reading) -> dict[str, int]:
    """Return each node's lane: that of its kind; a table is with the first kind that reads it, or with none."""
    place = {kind: number for number, kind in enumerate(pack.kinds, 1)}
    found = {name: place.get(node.kind, 0) for name, node in reading.nodes.items()}
    for _ in range(len(reading.nodes)):
        changed = False
        for edge in reading.edges:
            if not found[edge.source] and found[edge.target]:
                found[edge.source], changed = found[edge.target], True
        if not changed:
            break
    return found


def _routes(reading: Reading, boxes: dict[str, Box]) -> tuple[dict[Edge, list[Box]], list[Box]]:
    """Return the boxes each edge goes through, with a place in every column it crosses."""
    shared: dict[tuple[str, int, int], Box] = {}
    paths: dict[Edge, list[Box]] = {}
    for edge in reading.edges:
        start, end = boxes[edge.source], boxes[edge.target]
        route = [start]
        for column in range(start.column + 1, end.column):
            key = (edge.source, column, end.lane)
            if key not in shared:
                shared[key] = Box(column, end.lane, None, edge.source)
            route.append(shared[key])
        route.append(end)
        paths[edge] = route
        for one, other in zip(route, route[1:], strict=False):
            if other not in one.after and one.column < other.column:
                one.after.append(other)
                other.before.append(one)
    return paths, list(shared.values())


def _place(
    cells: dict[int, list[Box]], count: int, lanes: Sequence[int], names: Sequence[str]
) -> list[tuple[str, float, float]]:
    """Put boxes at their heights, lane by lane; return each lane's kind, top and bottom."""
    found: list[tuple[str, float, float]] = []
    top = float(MARGIN)
    for lane in lanes:
        columns = [[box for box in cells.get(column, ()) if box.lane == lane] for column in range(count)]
        room = max(_room(own) for own in columns)
        for own in columns:
            for box, offset in zip(own, _offsets(own), strict=True):
                box.y = own[0].height / 2 + offset
        for sweep in range(SWEEPS):
            is_forward = sweep % 2 == 0
            for own in columns if is_forward else reversed(columns):
                _settle(own, is_forward, room)
        for own in columns:
            for box in own:
                box.y += top + TITLE + GAP
        bottom = top + TITLE + GAP + room + GAP
        found.append((names[lane], top, bottom))
        top = bottom + LANE_GAP
    return found


def _offsets(boxes: Sequence[Box]) -> list[float]:
    """Return the least distance of the middle of each box from that of the first."""
    found = [0.0][: len(boxes)]
    for one, other in zip(boxes, boxes[1:], strict=False):
        found.append(found[-1] + (one.height + other.height) / 2 + GAP)
    return found


def _room(boxes: Sequence[Box]) -> float:
    """Return the height boxes take."""
    return sum(box.height for box in boxes) + GAP * max(len(boxes) - 1, 0)


def _settle(boxes: list[Box], is_forward: bool, room: float) -> None:
    """Put the boxes of a column as near as they can be to the middle of what they are joined with in their lane."""
    if not boxes:
        return

    def wanted(box: Box) -> float:
        joined = [other.y for other in (box.before if is_forward else box.after) if other.lane == box.lane]
        return sum(joined) / len(joined) if joined else box.y

    places = {id(box): wanted(box) for box in boxes}
    boxes.sort(key=lambda box: (places[id(box)], box.y))
    offsets, least = _offsets(boxes), boxes[0].height / 2
    most = least + room - _room(boxes)
    for box, offset, y in zip(
        boxes, offsets, _rising(places[id(b)] - o for b, o in zip(boxes, offsets, strict=True)), strict=True
    ):
        box.y = min(max(y, least), most) + offset


def _rising(values: Iterable[float]) -> list[float]:
    """Return the values nearest to these, by squares, of which none is less than the one before."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [((a * n + b * m) / (n + m), n + m)]
    return [value for value, many in blocks for _ in range(many)]


# --- SVG --------------------------------------------------------------------------------------------------


def _second(node: Node) -> str:
    """Return the name rules have for a node, where readers see another."""
    return "" if node.label == node.written else node.written


def _svg(pack: Pack, drawing: Drawing) -> str:
    width, height = drawing.width, drawing.height + HEIGHT
    made = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
        f' height="{height:.0f}" font-family="{FONT}" font-size="12">',
        f"<title>{escape(pack.title.get(pack.shown_in) or next(iter(pack.title.values())))}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for kind, top, bottom in drawing.lanes:
        made.append(
            f'<rect class="lane" x="{MARGIN / 2}" y="{top:.1f}" width="{width - MARGIN:.1f}"'
            f' height="{bottom - top:.1f}" rx="8" fill="#fcfcfd" stroke="#e9ecef"/>'
        )
        label = escape(pack.label(kind) if kind else say(pack, "graph table"))
        made.append(
            f'<text x="{MARGIN}" y="{top + 17:.1f}" font-size="13" font-weight="bold" fill="#495057">{label}</text>'
        )
    made += [_edge(edge, route, drawing.widths) for edge, route in drawing.paths.items()]
    made += [_box(box, drawing.widths[box.column]) for box in drawing.boxes.values()]
    made += _legend(pack, drawing)
    return "\n".join([*made, "</svg>"]) + "\n"


def _edge(edge: Edge, route: Sequence[Box], widths: Sequence[float]) -> str:
    """Return an edge as a curve from the right of one box to the left of the other, through its places between."""
    x, y = route[0].x + widths[route[0].column], route[0].y
    path = f"M{x:.1f},{y:.1f}"
    for box in route[1:]:
        middle = (x + box.x) / 2
        path += f" C{middle:.1f},{y:.1f} {middle:.1f},{box.y:.1f} {box.x:.1f},{box.y:.1f}"
        x, y = box.x, box.y
        if box.node is None:
            x += widths[box.column]
            path += f" H{x:.1f}"
    color = COLORS[route[0].node.sort if route[0].node is not None else "table"][1]
    dashes = ' stroke-dasharray="5 4"' if edge.is_earlier else ""
    return (
        f'<path class="edge" data-from="{escape(edge.source)}" data-to="{escape(edge.target)}" d="{path}"'
        f' fill="none" stroke="{color}" stroke-opacity="0.55" stroke-width="1.2"{dashes}/>'
    )


def _box(box: Box, width: float) -> str:
    node = box.node
    assert node is not None
    fill, border = COLORS[node.sort]
    top, middle, second = box.y - HEIGHT / 2, box.x + width / 2, _second(node)
    radius = {"roster": HEIGHT / 2, "table": 2}.get(node.sort, 6)
    thick = 2.4 if node.name.endswith(":line:total") else 1.2
    base = box.y + (-2 if second else 4)
    label = f'<text x="{middle:.1f}" y="{base:.1f}" text-anchor="middle">{escape(node.label)}</text>'
    if second:
        label += (
            f'<text x="{middle:.1f}" y="{box.y + 12:.1f}" text-anchor="middle" font-size="10" fill="#868e96">'
            f"{escape(second)}</text>"
        )
    return (
        f'<g class="node" data-name="{escape(node.name)}"><title>{escape(f"{node.at.file}:{node.at.line}")}</title>'
        f'<rect x="{box.x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{HEIGHT}" rx="{radius}" fill="{fill}"'
        f' stroke="{border}" stroke-width="{thick}"/>{label}</g>'
    )


def _legend(pack: Pack, drawing: Drawing) -> list[str]:
    made, x, y = [], float(MARGIN), drawing.height + 8
    for sort in SORTS:
        if any(box.node is not None and box.node.sort == sort for box in drawing.boxes.values()):
            fill, border = COLORS[sort]
            words = say(pack, f"graph {sort}")
            made.append(f'<rect x="{x:.1f}" y="{y - 10}" width="14" height="12" fill="{fill}" stroke="{border}"/>')
            made.append(f'<text x="{x + 20:.1f}" y="{y}" fill="#495057">{escape(words)}</text>')
            x += 20 + CELL * wcswidth(words) + 24
    if any(edge.is_earlier for edge in drawing.paths):
        made.append(f'<path d="M{x:.1f},{y - 4} h24" stroke="#495057" stroke-dasharray="5 4"/>')
        made.append(f'<text x="{x + 30:.1f}" y="{y}" fill="#495057">{escape(say(pack, "graph earlier"))}</text>')
    return made
