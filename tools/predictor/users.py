"""What the operator knows of users, from a file: any further columns become features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now, upsert
from tools.predictor.columns import Cell, cell_of, columns_of, infer, number, read_rows, truth
from tools.predictor.errors import UsersInvalid
from tools.predictor.tables import user_attributes

USER = "user_id"
USER_CHARS = 200
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out: the line that it ends on (from 1), and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class UsersRead:
    """User id -> attributes, and the rows of the file that could not be read."""

    users: dict[str, dict[str, Cell]]
    failed: tuple[BadRow, ...]


def read_users(path: Path) -> UsersRead:
    """The users of a CSV file; of several rows with one id the last counts, and a bad row costs none of the others.

    Raises:
        TableInvalid, UsersInvalid: nothing in the file can be read; the message says what was expected and what came.
    """
    header, rows = read_rows(path)
    if USER not in header:
        raise UsersInvalid(f"{path} needs a column {USER!r}; it has {', '.join(header)}")
    place = header.index(USER)
    wrong = {line: why for line, row in rows if (why := _wrong(row, header, place))}
    if len(wrong) == len(rows):
        line, why = next(iter(wrong.items()))
        raise UsersInvalid(f"{path}: none of the {len(rows)} rows could be read; the first, line {line}: {why}")
    columns = columns_of(header, [row for line, row in rows if line not in wrong])
    typed = {name: _typed(name, cells) for name, cells in columns.items() if name != USER}
    ids = [str(cell) for cell in columns[USER]]
    users = {user: {name: cells[index] for name, cells in typed.items()} for index, user in enumerate(ids)}
    return UsersRead(users, tuple(BadRow(line, why) for line, why in wrong.items()))


def _wrong(row: Sequence[str], header: Sequence[str], place: int) -> str:
    """Why this row cannot be a user; "" where it can."""
    if len(row) != len(header):
        return f"expected {len(header)} values, got {len(row)}"
    if any("\0" in cell for cell in row):
        return "expected text without NUL characters, which no database keeps"
    user = row[place].strip()
    if cell_of(user) is None or len(user) > USER_CHARS:
        return f"expected a user id of 1 to {USER_CHARS} characters, got {user[:40]!r}"
    return ""


def _typed(name: str, cells: Sequence[Cell]) -> list[Cell]:
    """Numbers and truth values as such, everything else as text."""
    kind = infer(name, cells).kind
    if kind in ("number", "code"):
        return [None if (value := number(cell)) != value else value for cell in cells]
    if kind == "boolean":
        return [None if (value := truth(cell)) != value else bool(value) for cell in cells]
    return [None if cell is None else str(cell) for cell in cells]


class UserStore:
    """The attributes of users in a database."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self, users: Mapping[str, Mapping[str, Cell]]) -> int:
        """Write these users, replacing what was loaded of them before; all or none. Returns how many."""
        time = now()
        rows = [{"user_id": user, "attributes": dict(of), "updated_at": time} for user, of in users.items()]
        async with self._engine.begin() as connection:
            for first in range(0, len(rows), _CHUNK):
                new = upsert(connection, user_attributes).values(rows[first : first + _CHUNK])
                await connection.execute(
                    new.on_conflict_do_update(
                        index_elements=[user_attributes.c.user_id],
                        set_={"attributes": new.excluded.attributes, "updated_at": new.excluded.updated_at},
                    )
                )
        return len(rows)
