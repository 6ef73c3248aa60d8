"""Which user ids are one person: links lead from the ids of their accounts to the person's own."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.identities.tables import identity_links as edges


async def person_behind(connection: AsyncConnection, user_id: str) -> str:
    """The id that this one leads to; itself where it is not linked to another."""
    while True:
        above = (await connection.execute(select(edges.c.into_user).where(edges.c.user_id == user_id))).scalar()
        if above is None:
            return user_id
        user_id = above


async def members_of(connection: AsyncConnection, user_id: str) -> set[str]:
    """This id and all that lead to it."""
    found, newest = {user_id}, {user_id}
    while newest:
        rows = await connection.execute(select(edges.c.user_id).where(edges.c.into_user.in_(newest)))
        newest = set(rows.scalars()) - found
        found |= newest
    return found
