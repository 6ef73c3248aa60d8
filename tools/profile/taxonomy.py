"""The taxonomy: the words that users and articles are tagged with, what they mean, and how they hang together.

It comes from YAML files (`python -m ui taxonomy load FILE`), from administrators, and from the articles themselves,
whose topics appear in it when they are ingested. A name is unique whatever its case.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import now, upsert
from tools.profile.errors import ProfileInputInvalid, TaxonomyInvalid
from tools.profile.model import CATEGORIES, VALUE_CHARS, Category, key_of, plain
from tools.profile.tables import taxonomy, taxonomy_links

DEMO = Path(__file__).parent / "demo_taxonomy.yaml"
"""The taxonomy of the fictional marketplace that the demo articles are about."""

DESCRIPTION_CHARS, EXAMPLE_CHARS, MOST_EXAMPLES = 1000, 500, 200
FIELDS = ("name", "category", "description", "examples", "is_active", "parents", "related")


@dataclass(frozen=True, slots=True)
class TaxonomyEntry:
    """One word, with names of its parents and of what is related to it; `id` is None until it is stored."""

    name: str
    category: Category
    description: str = ""
    examples: tuple[str, ...] = ()
    is_active: bool = True
    parents: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    id: int | None = None

    def __post_init__(self) -> None:
        if self.category not in CATEGORIES:
            expected = ", ".join(CATEGORIES)
            raise ProfileInputInvalid("category", f"Expected category to be one of {expected}, got {self.category!r}.")
        for field in ("name", "description"):
            object.__setattr__(self, field, _text(field, getattr(self, field)))
        for field in ("examples", "parents", "related"):
            object.__setattr__(self, field, _texts(field, getattr(self, field)))


@dataclass(frozen=True, slots=True)
class TaxonomyLoaded:
    """How many entries a load added, changed and found as they were."""

    added: int
    changed: int
    unchanged: int


class Taxonomy:
    """The taxonomy in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def entries(self, *, active_only: bool = True) -> list[TaxonomyEntry]:
        """Every entry, by category and name."""
        async with self._engine.connect() as connection:
            found = await _entries(connection)
        return [one for one in found if one.is_active or not active_only]

    async def version(self) -> str:
        """Changes when an entry does: whoever made something of the entries knows when to make it again."""
        query = select(func.count(), func.max(taxonomy.c.updated_at))
        async with self._engine.connect() as connection:
            count, newest = (await connection.execute(query)).one()
        return f"{count} {newest}"

    async def load(self, entries: Sequence[TaxonomyEntry]) -> TaxonomyLoaded:
        """Add these entries, or change those of the same names; others stay. All or nothing.

        Raises:
            TaxonomyInvalid: names every entry that comes twice, is linked to no entry, or is its own ancestor.
        """
        async with self._engine.begin() as connection:
            known = {key_of(one.name): one for one in await _entries(connection)}
            if problems := [*_twice(entries), *_link_problems({**known, **{key_of(one.name): one for one in entries}})]:
                raise TaxonomyInvalid(problems)
            changed = [one for one in entries if not _same(one, known.get(key_of(one.name)))]
            await _write(connection, changed)
        added = sum(key_of(one.name) not in known for one in entries)
        return TaxonomyLoaded(added, len(changed) - added, len(entries) - len(changed))

    async def seed(self, path: Path) -> None:
        """Load a file where there is nothing of anybody's own yet but bare topics: what was edited stays."""
        if all(one.category == "topic" and not one.description for one in await self.entries(active_only=False)):
            await self.load(await asyncio.to_thread(read_taxonomy, path))

    async def add(self, entry: TaxonomyEntry) -> TaxonomyEntry:
        """Add an entry, and give it back with its id. Raises ProfileInputInvalid when its name is taken."""
        if any(key_of(one.name) == key_of(entry.name) for one in await self.entries(active_only=False)):
            raise ProfileInputInvalid("name", f"There is an entry of the name {entry.name!r} already: edit that one.")
        await self.load([entry])
        found = await self.entries(active_only=False)
        return next(one for one in found if key_of(one.name) == key_of(entry.name))

    async def edit(self, entry: TaxonomyEntry) -> TaxonomyEntry | None:
        """Replace the entry of this id, also by another name; None when there is none.

        Raises:
            ProfileInputInvalid: the name is another entry's.
            TaxonomyInvalid: it is linked to no entry, or is its own ancestor.
        """
        async with self._engine.begin() as connection:
            known = await _entries(connection)
            if (before := next((one for one in known if one.id == entry.id), None)) is None:
                return None
            others = {key_of(one.name): _renamed(one, before.name, entry.name) for one in known if one is not before}
            if key_of(entry.name) in others:
                raise ProfileInputInvalid("name", f"Another entry has the name {entry.name!r}.")
            if problems := list(_link_problems({**others, key_of(entry.name): entry})):
                raise TaxonomyInvalid(problems)
            name = {"name": entry.name, "name_key": key_of(entry.name)}
            await connection.execute(update(taxonomy).where(taxonomy.c.id == entry.id).values(name))
            await _write(connection, [entry])
        return entry

    async def set_active(self, entry_id: int, active: bool) -> bool:
        """Use an entry or not; False when there is none of this id."""
        statement = update(taxonomy).where(taxonomy.c.id == entry_id).values(is_active=active, updated_at=now())
        async with self._engine.begin() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def ensure_topics(self, names: Iterable[str]) -> int:
        """Add a topic for each of these names that is new; how many were. One that was deactivated stays so."""
        entries: dict[str, TaxonomyEntry] = {}
        for name in names:
            if plain(name).strip():
                entries.setdefault(key_of(name), TaxonomyEntry(name, "topic"))
        async with self._engine.begin() as connection:
            known = set((await connection.execute(select(taxonomy.c.name_key))).scalars())
            new = [entry for key, entry in entries.items() if key not in known]
            if new:
                await connection.execute(
                    upsert(connection, taxonomy).on_conflict_do_nothing(index_elements=[taxonomy.c.name_key]),
                    [_row(one) for one in new],
                )
        return len(new)


def read_taxonomy(path: Path) -> list[TaxonomyEntry]:
    """The entries of a YAML file: a list under `taxonomy`, each with a name and a category.

    Raises:
        TaxonomyInvalid: the file can't be read, or names each entry that is wrong and how.
    """
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TaxonomyInvalid([f"{path} cannot be read as YAML: {error}"]) from error
    listed = content.get("taxonomy") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise TaxonomyInvalid([f"{path}: expected a list under 'taxonomy'"])
    entries, problems = [], []
    for number, one in enumerate(listed, 1):
        try:
            entries.append(_parsed(one))
        except ProfileInputInvalid as error:
            problems.append(f"entry {number}{_called(one)}: {error}")
    if problems:
        raise TaxonomyInvalid(problems)
    return entries


def _called(entry: object) -> str:
    return f" ({entry['name']})" if isinstance(entry, dict) and isinstance(entry.get("name"), str) else ""


def _parsed(entry: object) -> TaxonomyEntry:
    if not isinstance(entry, dict):
        raise ProfileInputInvalid("entry", f"Expected name, category, …; got {str(entry)[:80]!r}.")
    if unknown := [str(name) for name in entry if name not in FIELDS]:
        raise ProfileInputInvalid(unknown[0], f"Expected only {', '.join(FIELDS)}; got {', '.join(unknown)}.")
    for name in ("name", "category"):
        if not isinstance(entry.get(name), str):
            raise ProfileInputInvalid(name, f"Expected {name} to be text, got {entry.get(name)!r}.")
    if not isinstance(entry.get("is_active", True), bool):
        raise ProfileInputInvalid("is_active", f"Expected is_active to be true or false, got {entry['is_active']!r}.")
    given = {name: value for name, value in entry.items() if value is not None}
    return TaxonomyEntry(**given)


def _text(field: str, value: object) -> str:
    limit = VALUE_CHARS if field != "description" else DESCRIPTION_CHARS
    if not isinstance(value, str):
        raise ProfileInputInvalid(field, f"Expected {field} to be text, got {value!r}.")
    text = " ".join(plain(value).split())
    if len(text) > limit or (field == "name" and not text):
        raise ProfileInputInvalid(field, f"Expected {field} to have at most {limit} characters, got {len(text)}.")
    return text


def _texts(field: str, values: object) -> tuple[str, ...]:
    if not isinstance(values, (list, tuple)) or not all(isinstance(one, str) for one in values):
        raise ProfileInputInvalid(field, f"Expected {field} to be a list of texts, got {str(values)[:80]!r}.")
    cleaned = tuple(dict.fromkeys(filter(None, (" ".join(plain(one).split()) for one in values))))
    if len(cleaned) > MOST_EXAMPLES or any(len(one) > EXAMPLE_CHARS for one in cleaned):
        wanted = f"at most {MOST_EXAMPLES} texts of at most {EXAMPLE_CHARS} characters"
        raise ProfileInputInvalid(field, f"Expected {field} to be {wanted}.")
    return cleaned


def _twice(entries: Sequence[TaxonomyEntry]) -> Iterator[str]:
    seen: set[str] = set()
    for one in entries:
        if key_of(one.name) in seen:
            yield f"{one.name}: this name comes twice"
        seen.add(key_of(one.name))


def _link_problems(entries: Mapping[str, TaxonomyEntry]) -> Iterator[str]:
    for key, one in entries.items():
        for name in (*one.parents, *one.related):
            if key_of(name) not in entries:
                yield f"{one.name}: linked to {name!r}, which is no entry"
        if key in _ancestors(key, entries):
            yield f"{one.name}: is among its own parents"


def _ancestors(key: str, entries: Mapping[str, TaxonomyEntry]) -> set[str]:
    found: set[str] = set()
    open_ends = [key]
    while open_ends:
        entry = entries.get(open_ends.pop())
        parents = {key_of(name) for name in entry.parents} - found if entry else set()
        found |= parents
        open_ends += parents
    return found


def _renamed(entry: TaxonomyEntry, before: str, after: str) -> TaxonomyEntry:
    def new(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(after if key_of(name) == key_of(before) else name for name in names)

    return replace(entry, parents=new(entry.parents), related=new(entry.related))


def _same(entry: TaxonomyEntry, known: TaxonomyEntry | None) -> bool:
    return known is not None and _comparable(entry) == _comparable(known)


def _comparable(entry: TaxonomyEntry) -> tuple[object, ...]:
    links = (frozenset(map(key_of, entry.parents)), frozenset(map(key_of, entry.related)))
    return entry.name, entry.category, entry.description, entry.examples, entry.is_active, *links


def _row(entry: TaxonomyEntry) -> dict[str, Any]:
    time = now()
    return {
        "name": entry.name,
        "name_key": key_of(entry.name),
        "category": entry.category,
        "description": entry.description,
        "examples": list(entry.examples),
        "is_active": entry.is_active,
        "created_at": time,
        "updated_at": time,
    }


async def _entries(connection: AsyncConnection) -> list[TaxonomyEntry]:
    rows = (await connection.execute(select(taxonomy).order_by(taxonomy.c.category, taxonomy.c.name_key))).mappings()
    found = {row["id"]: row for row in rows}
    links: dict[tuple[int, str], list[str]] = defaultdict(list)
    for entry_id, kind, other_id in await connection.execute(select(taxonomy_links).order_by(*taxonomy_links.c)):
        links[entry_id, kind].append(found[other_id]["name"])
    return [
        TaxonomyEntry(
            name=row["name"],
            category=row["category"],
            description=row["description"],
            examples=tuple(row["examples"]),
            is_active=row["is_active"],
            parents=tuple(links[id, "parent"]),
            related=tuple(links[id, "related"]),
            id=id,
        )
        for id, row in found.items()
    ]


async def _write(connection: AsyncConnection, entries: Sequence[TaxonomyEntry]) -> None:
    """Add or replace entries, then their links, which may be among themselves."""
    if not entries:
        return
    statement = upsert(connection, taxonomy)
    new = ("name", "category", "description", "examples", "is_active", "updated_at")
    statement = statement.on_conflict_do_update(
        index_elements=[taxonomy.c.name_key], set_={name: statement.excluded[name] for name in new}
    )
    await connection.execute(statement, [_row(one) for one in entries])
    found = await connection.execute(select(taxonomy.c.name_key, taxonomy.c.id))
    ids = {row.name_key: row.id for row in found}
    theirs = [ids[key_of(one.name)] for one in entries]
    await connection.execute(delete(taxonomy_links).where(taxonomy_links.c.entry_id.in_(theirs)))
    links = {
        (ids[key_of(one.name)], kind, ids[key_of(name)])
        for one in entries
        for kind, names in (("parent", one.parents), ("related", one.related))
        for name in names
    }
    if links:
        rows = [dict(zip(("entry_id", "kind", "other_id"), link, strict=True)) for link in sorted(links)]
        await connection.execute(insert(taxonomy_links), rows)
