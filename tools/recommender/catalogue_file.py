"""Reads items from CSV or JSON lines: which column is what, lists split, each bad row named and the rest kept.

Columns with the names of an item's fields are those fields (other usual names are known too: `ALIASES`); every other
column that holds words or lists is a facet, by its name in the singular, unless it tells nearly every item apart, as an
id does. A mapping given by the caller (facet → column) replaces that guess.
"""

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.recommender.errors import CatalogueUnreadable, RowRejected
from tools.recommender.model import Facets, Item, RejectedRow

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "item_id", "itemid", "item"),
    "title": ("title", "name", "headline"),
    "text": ("text", "description", "summary", "overview", "abstract", "body"),
    "url": ("url", "link"),
    "category": ("category",),
    "published": ("published", "published_at", "date", "release_date"),
    "expires": ("expires", "expires_at", "expiry"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng"),
    "location": ("location",),
    "popularity": ("popularity", "views"),
    "active": ("active", "is_active"),
    "superseded_by": ("superseded_by",),
}
IRREGULAR = {"categories": "category", "countries": "country", "companies": "company", "series": "series"}
SEPARATORS = re.compile(r"[|;]")
TELLS_APART = 0.9
FIELD_CHARS = 1_000_000


@dataclass(frozen=True, slots=True)
class ItemsRead:
    """The items of a file, the rows that were left out, and which facet came from which column."""

    items: tuple[Item, ...]
    rejected: tuple[RejectedRow, ...]
    facets: Mapping[str, str]


def read_items(path: Path, *, facets: Mapping[str, str] | None = None, category: str = "article") -> ItemsRead:
    """Read a catalogue; the last of several rows with one id counts.

    Raises:
        CatalogueUnreadable: the file is missing, or none of its rows could be read.
    """
    rows: list[tuple[int, Mapping[str, Any]]] = []
    rejected: list[RejectedRow] = []
    for number, row in read_rows(path):
        if isinstance(row, RejectedRow):
            rejected.append(row)
        else:
            rows.append((number, {key.strip(): value for key, value in row.items() if isinstance(key, str)}))
    mapping = dict(facets) if facets else guess_facets([row for _, row in rows])
    items: dict[str, Item] = {}
    for number, row in rows:
        try:
            item = item_of(row, mapping, category)
        except RowRejected as error:
            rejected.append(RejectedRow(number, error.field, str(error)))
        else:
            items[item.id] = item
    if not items:
        first = f" The first that was left out: {rejected[0]}" if rejected else ""
        raise CatalogueUnreadable(f"Expected items with an id and a title in {path}, found none.{first}")
    return ItemsRead(tuple(items.values()), tuple(sorted(rejected, key=lambda one: one.row)), mapping)


def read_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | RejectedRow]]:
    """The objects of a CSV or JSON lines file with the number of the line that each ends on."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            yield from _csv_rows(lines) if path.suffix.lower() == ".csv" else _json_rows(lines)
    except OSError as error:
        raise CatalogueUnreadable(f"Expected to read {path}: {error.strerror}.") from error


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | RejectedRow]]:
    csv.field_size_limit(FIELD_CHARS)
    reader = csv.DictReader(line.replace("\0", "") for line in lines)
    columns = len(reader.fieldnames or ())
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, RejectedRow(reader.line_num, "row", f"Not a row of CSV: {error}.")
            continue
        if None in row or None in row.values():
            got = sum(value is not None for key, value in row.items() if key) + len(row.get(None) or ())
            yield reader.line_num, RejectedRow(reader.line_num, "row", f"Expected {columns} columns, got {got}.")
        else:
            yield reader.line_num, row


def _json_rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | RejectedRow]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, RejectedRow(number, "row", f"Expected one JSON object a line: {error}.")
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            yield number, RejectedRow(number, "row", f"Expected a JSON object, got {line.strip()[:60]!r}.")


def guess_facets(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Facet → column for each column that holds words and is no field of an item."""
    taken = {alias for aliases in ALIASES.values() for alias in aliases}
    columns = dict.fromkeys(column for row in rows for column in row if column.casefold() not in taken)
    return {singular(column): column for column in columns if _describes(rows, column)}


def _describes(rows: Sequence[Mapping[str, Any]], column: str) -> bool:
    held = [row[column] for row in rows if row.get(column)]
    texts = [value for value in held if isinstance(value, str)]
    lists = [value for value in held if isinstance(value, list)]
    if lists:
        return all(isinstance(one, str) for value in lists[:100] for one in value)
    if len(texts) < 3 or len(texts) < len(held):
        return False
    return len(set(texts)) < TELLS_APART * len(texts) or any(SEPARATORS.search(text) for text in texts)


def singular(name: str) -> str:
    """`genres` → `genre`."""
    lower = name.casefold()
    if lower in IRREGULAR:
        return IRREGULAR[lower]
    return lower[:-1] if lower.endswith("s") and not lower.endswith("ss") and len(lower) > 3 else lower


def item_of(row: Mapping[str, Any], facets: Mapping[str, str], category: str = "article") -> Item:
    """An item of one row. Raises RowRejected with the field that can't be kept."""
    found = {column.casefold(): value for column, value in row.items() if value not in (None, "")}

    def field(name: str) -> Any:
        return next((found[alias] for alias in ALIASES[name] if alias in found), None)

    return Item(
        id=_word("id", field("id")),
        title=_word("title", field("title")),
        text=_text(field("text")),
        url=_url(field("url")),
        category=_word("category", field("category") or category),
        facets=_facets(row, facets),
        published=_moment("published", field("published")),
        expires=_moment("expires", field("expires")),
        location=_location(field("latitude"), field("longitude"), field("location")),
        popularity=_popularity(field("popularity")),
        active=_truth(field("active")),
        superseded_by=None if field("superseded_by") is None else str(field("superseded_by")),
    )


def _word(name: str, value: Any) -> str:
    if value is None or isinstance(value, (list, dict, bool)) or not str(value).strip():
        raise RowRejected(name, f"Expected words, got {value!r}.")
    return " ".join(str(value).replace("\0", "").split())


def _text(value: Any) -> str:
    return "" if value is None else str(value).replace("\0", "")


def _url(value: Any) -> str | None:
    if value is None:
        return None
    if not re.match(r"(https?://|/)[^\s]*$", str(value)):
        raise RowRejected(
            "url", f"Expected an address that begins with https://, http:// or /, got {str(value)[:60]!r}."
        )
    return str(value)


def _facets(row: Mapping[str, Any], mapping: Mapping[str, str]) -> Facets:
    found = {facet: _values(facet, row.get(column)) for facet, column in mapping.items()}
    return {facet: values for facet, values in found.items() if values}


def _values(facet: str, value: Any) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, dict):
        raise RowRejected(facet, "Expected words or a list of words, got an object.")
    parts = value if isinstance(value, list) else SEPARATORS.split(str(value))
    words = (" ".join(str(part).replace("\0", "").split()) for part in parts if part is not None)
    return tuple(dict.fromkeys(word for word in words if word))


def _moment(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        if isinstance(value, (int, float)) or re.fullmatch(r"\d{9,11}(\.\d+)?", str(value)):
            return datetime.fromtimestamp(float(value), UTC)
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise RowRejected(name, f"Expected a date such as 2026-05-31, got {str(value)[:60]!r}.") from error


def _location(latitude: Any, longitude: Any, pair: Any) -> tuple[float, float] | None:
    if isinstance(pair, (list, tuple)) and len(pair) == 2:
        latitude, longitude = pair
    if latitude is None and longitude is None:
        return None
    north, east = _number("latitude", latitude), _number("longitude", longitude)
    if not (-90 <= north <= 90 and -180 <= east <= 180):
        raise RowRejected("location", f"Expected degrees within ±90 and ±180, got {north:g}, {east:g}.")
    return north, east


def _popularity(value: Any) -> float:
    number = 0.0 if value is None else _number("popularity", value)
    if number < 0:
        raise RowRejected("popularity", f"Expected 0 or more, got {number:g}.")
    return number


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise RowRejected(name, f"Expected a number, got {str(value)[:60]!r}.") from error
    if not math.isfinite(number):
        raise RowRejected(name, f"Expected a number, got {value!r}.")
    return number


def _truth(value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return value is not False
    word = str(value).strip().casefold()
    if word not in {"1", "true", "yes", "0", "false", "no"}:
        raise RowRejected("active", f"Expected true or false, got {str(value)[:60]!r}.")
    return word in {"1", "true", "yes"}
