"""Every error that Attune raises on purpose, named by who must act.

AttuneError
├── KnowledgeBaseError               (knowledge_base/errors.py)
│   ├── DocumentRejected             the author: this file cannot be read, and why
│   ├── IndexMismatch                the operator: another embedding model made this index
│   ├── IndexUnavailable             the operator: the index cannot be opened or written, or does not answer
│   ├── IngestRunning                the operator: another ingest is writing to this knowledge base
│   ├── EmbeddingsUnavailable        the operator: weights missing or altered, endpoint down
│   └── QuestionSetInvalid           the operator: a file to measure with is not in the format expected
├── SettingsError                    the operator: a setting has a value that cannot work
├── ModelError                       the operator: the chat model failed; `kind` says how
│   ├── ModelUnavailable             … before its first token: something else can answer
│   └── ModelCut                     … after it: what was said stays, and is marked as cut
├── TurnFailed                       the operator: a turn broke; the log has the reason
└── TurnRejected                     the caller: this turn cannot be run as asked
    ├── EmptyMessage                 … there is no text in it
    ├── MessageTooLong               … shorten it
    ├── MessageNotText               … it holds what no database keeps
    └── ConversationNotFound         … no such conversation for this user
"""

from typing import Literal

from knowledge_base.errors import AttuneError


class SettingsError(AttuneError):
    """A setting has a value that cannot work; the message names the variable."""


FailureKind = Literal[
    "authentication",
    "model_not_found",
    "rate_limited",
    "server_error",
    "timeout",
    "connection",
    "bad_request",
    "bad_response",
    "content_filter",
    "length",
    "circuit_open",
]
"""How a chat model failed: `length` and `content_filter` are its own finish reasons, `bad_response` an answer that is
empty or no answer at all, `circuit_open` that it was not asked, because it failed just before."""


class ModelError(AttuneError):
    """The configured chat model failed. The message is for the operator's log and holds no credentials."""

    def __init__(self, message: str, kind: FailureKind) -> None:
        super().__init__(message)
        self.kind = kind


class ModelUnavailable(ModelError):
    """The model failed before its first token, tries and waits included: nothing of an answer was shown."""


class ModelCut(ModelError):
    """The model's answer broke off: what was yielded before is all that comes."""


class TurnFailed(AttuneError):
    """A turn broke on our side; the message is fit for a user, the log has the reason."""


class TurnRejected(AttuneError):
    """The caller asked for a turn that cannot be run; `field` names what to change."""

    field = "query"


class EmptyMessage(TurnRejected):
    """The message holds no text."""


class MessageTooLong(TurnRejected):
    """The message is longer than the limit in settings."""


class MessageNotText(TurnRejected):
    """The message holds NUL, or half of a surrogate pair."""


class ConversationNotFound(TurnRejected):
    """No such conversation for this user: it never was, was deleted, or belongs to somebody else."""

    field = "conversation_id"
