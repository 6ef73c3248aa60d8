"""What can be wrong with a prediction, named by who must act.

AttuneError                    (knowledge_base/errors.py)
├── TableInvalid               the operator: this table cannot be learned from, and why
├── ModelFileInvalid           the operator: a stored model is damaged, or of other features
├── UsersInvalid               the operator: a file of users is not in the format expected
├── RungFailed                 the log: a rung could not predict; the next one is asked
│   └── NotReady               … yet; asking again later is right, and nothing is wrong
└── UserUnknown                the caller: nobody of this name has been seen
"""

from collections.abc import Sequence

from knowledge_base.errors import AttuneError


class TableInvalid(AttuneError):
    """A table cannot be learned from: what was expected of it, and what came."""


class ModelFileInvalid(AttuneError):
    """A stored model cannot be used: its file is damaged, or it was made for other features."""


class UsersInvalid(AttuneError):
    """A file of users is not in the format expected."""


class RungFailed(AttuneError):
    """A rung of the ladder could not predict. The message is for the log and holds no credentials."""


class NotReady(RungFailed):
    """A rung has nothing to say yet: no model was trained, or nothing was fetched."""


class UserUnknown(AttuneError):
    """Nobody of these ids has asked, acted or been loaded."""

    def __init__(self, user_ids: Sequence[str]) -> None:
        super().__init__(f"No user {user_ids[0]!r} has asked, acted or been loaded.")
        self.user_ids = tuple(user_ids)
