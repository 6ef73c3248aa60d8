"""Every error that Attune raises on purpose, named by who must act.

AttuneError
├── KnowledgeBaseError               (knowledge_base/errors.py)
│   ├── DocumentRejected             the author: this file cannot be read, and why
│   ├── IndexMismatch                the operator: another embedding model made this index
│   └── EmbeddingsUnavailable        the operator: weights missing or altered, endpoint down
├── SettingsError                    the operator: a setting has a value that cannot work
├── ModelError                       the operator: the chat model failed and nothing could stand in for it
├── TurnFailed                       the operator: a turn broke; the log has the reason
└── TurnRejected                     the caller: this turn cannot be run as asked
    ├── EmptyMessage                 … there is no text in it
    ├── MessageTooLong               … shorten it
    └── ConversationNotFound         … no such conversation for this user
"""

from knowledge_base.errors import AttuneError


class SettingsError(AttuneError):
    """A setting has a value that cannot work; the message names the variable."""


class ModelError(AttuneError):
    """The configured chat model failed and nothing could stand in for it."""


class TurnFailed(AttuneError):
    """A turn broke on our side; the message is fit for a user, the log has the reason."""


class TurnRejected(AttuneError):
    """The caller asked for a turn that cannot be run; `field` names what to change."""

    field = "query"


class EmptyMessage(TurnRejected):
    """The message holds no text."""


class MessageTooLong(TurnRejected):
    """The message is longer than the limit in settings."""


class ConversationNotFound(TurnRejected):
    """No such conversation for this user: it never was, was deleted, or belongs to somebody else."""

    field = "conversation_id"
