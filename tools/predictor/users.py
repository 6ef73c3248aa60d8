"""What the operator knows of users, from a file: any further columns become features."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now, upsert
from tools.predictor.columns import Cell, infer, number, read_csv, truth
from tools.predictor.errors import UsersInvalid
from tools.predictor.tables import user_attributes

USER = "user_id"
_CHUNK = 500


def read_users(path: Path) -> dict[str, dict[str, Cell]]:
    """User id -> attributes. Raises TableInvalid or UsersInvalid: which line, what was expected, what came."""
    columns = read_csv(path)
    if USER not in columns:
        raise UsersInvalid(f"{path} needs a column {USER!r}; it has {', '.join(columns)}")
    ids = [str(cell).strip() if cell is not None else "" for cell in columns[USER]]
    for line, user in enumerate(ids, 2):
        if not user or len(user) > 200:
            raise UsersInvalid(f"{path}, row {line}: expected a user id of 1 to 200 characters, got {user[:40]!r}")
    typed = {name: _typed(name, cells) for name, cells in columns.items() if name != USER}
    return {user: {name: cells[index] for name, cells in typed.items()} for index, user in enumerate(ids)}


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
