"""Who an account is: itself, or the person that its links lead to.

Links form a forest: each says that one user id is now another. Linking joins two roots, so that a person's id is always
the root of their tree; removing a link gives the part below it back to what it was. A link is made by a code that is
shown on one account and typed on the other: it lives for minutes, works once, is stored as a hash, and can be guessed
only a few times an hour.

A person has at most one account on the web (the identity provider says who is who there), and its id is the person's:
the page and the API need not look anybody up.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from knowledge_base.errors import AttuneError
from tools.database import conversations, now, upsert
from tools.identities.accounts import Account
from tools.identities.members import members_of, person_behind
from tools.identities.tables import identity_links as edges
from tools.identities.tables import link_attempts as attempts
from tools.identities.tables import link_codes as codes
from tools.identities.tables import row_origins
from tools.turn import new_id

ALPHABET = "BCDFGHJKMNPQRSTVWXZ23456789"  # no vowels: no words; nothing that looks like something else
CODE_CHARS = 8  # 38 bits: ten guesses an hour for ten minutes find one of them in 10^10 codes

_LOCK = 0  # the id of the row that is taken first by those who must go one at a time


class LinkRefused(AttuneError):
    """An account cannot be linked or unlinked as asked; the message is fit for its user."""


class TooManyAttempts(LinkRefused):
    """This account asked for too many codes, or tried too many."""


@dataclass(frozen=True, slots=True)
class LinkCode:
    """A code to type on another account, as 'BCDF-2345'."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """`joined` counts as `person` until the link is removed."""

    id: str
    joined: Account
    person: Account
    linked_at: datetime


class Ownership(Protocol):
    """Moves what belongs to a user, inside the transaction that changes the links."""

    async def merge(self, connection: AsyncConnection, from_user: str, into_user: str) -> None:
        """Give all that `from_user` has to `into_user`, remembering whose it was."""

    async def split(self, connection: AsyncConnection, from_user: str, members: frozenset[str], to_user: str) -> None:
        """Give `to_user` what `from_user` has and what came from `members`."""

    async def changed(self, *user_ids: str) -> None:
        """After the transaction: make anew what is derived from the rows of these users."""


class IdentityStore:
    """Links between accounts. `code_seconds` is how long a code lives; the limits are per account and hour."""

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        ownership: Ownership | None = None,
        code_seconds: float = 600,
        codes_an_hour: int = 5,
        tries_an_hour: int = 10,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._engine = engine
        self._ownership = ownership
        self._code_life = timedelta(seconds=code_seconds)
        self._limits = {"issue": codes_an_hour, "redeem": tries_an_hour}
        self._clock = clock

    async def user_of(self, account: Account) -> str:
        """The user id that this account's turns, profile and conversations have."""
        return await self.person_of(account.user_id)

    async def person_of(self, user_id: str) -> str:
        """The same for the id of an account alone."""
        async with self._engine.connect() as connection:
            return await person_behind(connection, user_id)

    async def issue(self, account: Account) -> LinkCode:
        """A code that links another account to this one. Earlier codes of this account stop working.

        Raises:
            TooManyAttempts: as many codes were asked for in the last hour as are given in one.
        """
        await self._count(account, "issue")
        code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
        expires_at = self._clock() + self._code_life
        async with self._engine.begin() as connection:
            await connection.execute(delete(codes).where(codes.c.user_id == account.user_id))
            await connection.execute(
                insert(codes).values(code_hash=_hash(code), user_id=account.user_id, expires_at=expires_at)
            )
        return LinkCode(f"{code[:4]}-{code[4:]}", expires_at)

    async def redeem(self, account: Account, code: str) -> Link:
        """Link this account, with all that is linked to it, to the one that the code was given to.

        Raises:
            TooManyAttempts: this account has tried too often in the last hour.
            LinkRefused: the code is wrong, used or expired, both are one person already, or both have a web account.
        """
        await self._count(account, "redeem")
        async with self._engine.begin() as connection:
            await self._one_at_a_time(connection)
            issuer = await self._spend(connection, code)
            joined, person = await person_behind(connection, account.user_id), await person_behind(connection, issuer)
            if joined == person:
                raise LinkRefused("These two accounts are linked already.")
            if Account.of(joined).doorway == "web":
                joined, person = person, joined  # so that the web need not look anybody up
            if Account.of(joined).doorway == "web":
                raise LinkRefused(
                    "Two accounts of the web page cannot be linked; link each chat account to one of them."
                )
            link = Link(new_id(), Account.of(joined), Account.of(person), self._clock())
            await connection.execute(
                insert(edges).values(id=link.id, user_id=joined, into_user=person, linked_at=link.linked_at)
            )
            if self._ownership is not None:
                await self._ownership.merge(connection, joined, person)
        if self._ownership is not None:
            await self._ownership.changed(person, joined)
        return link

    async def spoke(self, account: Account, user_id: str, conversation_id: str) -> None:
        """Note that this account, not the person's own, began a conversation: a later `unlink` gives it back there."""
        if account.user_id == user_id:
            return
        row = {"table_name": conversations.name, "row_id": conversation_id, "user_id": account.user_id}
        async with self._engine.begin() as connection:
            await connection.execute(upsert(connection, row_origins).values(row).on_conflict_do_nothing())

    async def links(self, account: Account) -> list[Link]:
        """Every link of the person behind this account, the oldest first."""
        async with self._engine.connect() as connection:
            members = await members_of(connection, await person_behind(connection, account.user_id))
            query = select(edges).where(edges.c.user_id.in_(members)).order_by(edges.c.linked_at, edges.c.id)
            rows = (await connection.execute(query)).mappings().all()
        return [
            Link(row["id"], Account.of(row["user_id"]), Account.of(row["into_user"]), row["linked_at"]) for row in rows
        ]

    async def unlink(self, account: Account, link_id: str) -> Link:
        """Remove a link of the person behind this account; what came from below it goes back there.

        Raises:
            LinkRefused: this person has no such link.
        """
        link = next((one for one in await self.links(account) if one.id == link_id), None)
        if link is None:
            raise LinkRefused("You have no such link.")
        async with self._engine.begin() as connection:
            await self._one_at_a_time(connection)
            person = await person_behind(connection, link.joined.user_id)
            members = frozenset(await members_of(connection, link.joined.user_id))
            if (await connection.execute(delete(edges).where(edges.c.id == link_id))).rowcount == 0:
                raise LinkRefused("This link was removed already.")
            if self._ownership is not None:
                await self._ownership.split(connection, person, members, link.joined.user_id)
        if self._ownership is not None:
            await self._ownership.changed(person, link.joined.user_id)
        return link

    async def _count(self, account: Account, kind: str) -> None:
        """Note an attempt, and refuse it when there were too many; the next one waits for that."""
        time = self._clock()
        hour = (
            attempts.c.user_id == account.user_id,
            attempts.c.kind == kind,
            attempts.c.at > time - timedelta(hours=1),
        )
        async with self._engine.begin() as connection:
            await self._one_at_a_time(connection)
            await connection.execute(delete(attempts).where(attempts.c.at < time - timedelta(days=1)))
            await connection.execute(insert(attempts).values(user_id=account.user_id, kind=kind, at=time))
            made = (await connection.execute(select(func.count()).select_from(attempts).where(*hour))).scalar_one()
        if made > self._limits[kind]:
            what = "asked for too many codes" if kind == "issue" else "tried too many codes"
            raise TooManyAttempts(f"You have {what}; please wait an hour.")

    async def _spend(self, connection: AsyncConnection, code: str) -> str:
        """The user that this code was given to; the code is gone with it."""
        time = self._clock()
        await connection.execute(delete(codes).where(codes.c.expires_at <= time))
        spent = delete(codes).where(codes.c.code_hash == _hash(code)).returning(codes.c.user_id)
        issuer: str | None = (await connection.execute(spent)).scalar()
        if issuer is None:
            minutes = round(self._code_life.total_seconds() / 60)
            raise LinkRefused(
                f"This code is not valid: codes work once, for {minutes} minutes. Ask the other account for a new one."
            )
        return issuer

    async def _one_at_a_time(self, connection: AsyncConnection) -> None:
        """Wait for whoever is at it: of two at once, changes could make a circle, and attempts both be the last."""
        lock = upsert(connection, attempts).values(id=_LOCK, user_id="", kind="lock", at=self._clock())
        await connection.execute(lock.on_conflict_do_update(index_elements=[attempts.c.id], set_={"at": self._clock()}))


def _hash(code: str) -> str:
    """Of the code as people may type it: case and dashes do not matter."""
    bare = "".join(character for character in code.upper() if character in ALPHABET)
    return hashlib.sha256(bare.encode()).hexdigest()
