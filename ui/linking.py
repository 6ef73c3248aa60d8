"""Linking accounts in words: what people write to a chat platform's bot, and what it says back."""

import re

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.identities.accounts import Account
from tools.identities.ownership import RowOwnership
from tools.identities.store import ALPHABET, IdentityStore, Link, LinkRefused
from tools.profile.store import ProfileStore

NAMES = {"web": "Web", "slack": "Slack", "discord": "Discord"}

_COMMAND = re.compile(
    rf"/?(?:(?P<redeem>link\s+(?P<code>[{ALPHABET}]{{4}}-[{ALPHABET}]{{4}}))|(?P<issue>link)|(?P<show>links)"
    r"|(?P<remove>unlink\s+(?P<number>\d{1,3})))",
    re.IGNORECASE,
)


def open_identities(engine: AsyncEngine) -> IdentityStore:
    """The links of this database; with a link goes all that belongs to a person."""
    return IdentityStore(engine, ownership=RowOwnership(ProfileStore(engine)))


class Linking:
    """`link` gives a code, `link CODE` uses one, `links` shows them, `unlink 1` removes the first."""

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    def understands(self, text: str) -> bool:
        """Whether this message is such a command and nothing else."""
        return _COMMAND.fullmatch(text.strip()) is not None

    async def answer(self, account: Account, text: str) -> str:
        """Do it, and say in Markdown what was done. Only ever call it where others don't read along."""
        command = _COMMAND.fullmatch(text.strip())
        if command is None:
            raise ValueError("Expected a command that `understands` accepts.")
        try:
            if command["code"]:
                return await self.redeem(account, command["code"])
            if command["issue"]:
                return await self.issue(account)
            if command["number"]:
                return await self.remove(account, int(command["number"]))
            return await self.show(account)
        except LinkRefused as error:
            return str(error)

    async def issue(self, account: Account) -> str:
        """A new code, and what to do with it."""
        code = (await self._identities.issue(account)).code
        return (
            f"Your code is **{code}**. Use it on your other account within ten minutes: write `link {code}` to me in "
            "Slack or Discord, or enter it on the web. It works once. Both accounts then share one profile."
        )

    async def redeem(self, account: Account, code: str) -> str:
        """Use a code."""
        link = await self._identities.redeem(account, code)
        return f"Linked: {_name(link.joined)} and {_name(link.person)} are one person now. `links` shows your links."

    async def show(self, account: Account) -> str:
        """The person's links, numbered."""
        links = await self._identities.links(account)
        if not links:
            return "This account is linked to no other. `link` gives you a code for that."
        lines = [f"{number}. {_line(link)}" for number, link in enumerate(links, 1)]
        return "\n".join(["Your links:", *lines, "", "`unlink 1` removes the first."])

    async def remove(self, account: Account, number: int) -> str:
        """Remove the link of this number."""
        links = await self._identities.links(account)
        if not 1 <= number <= len(links):
            return "You have no link of this number; `links` shows them."
        link = await self._identities.unlink(account, links[number - 1].id)
        return f"Removed: {_name(link.joined)} and {_name(link.person)} are separate again."


def _line(link: Link) -> str:
    return f"{_name(link.joined)} with {_name(link.person)}, since {link.linked_at:%Y-%m-%d}"


def _name(account: Account) -> str:
    return f"{NAMES[account.doorway]} ({account.name})"
