"""What can go wrong with suggestions, named by who must act.

AttuneError
└── RecommenderError
    ├── RowRejected           the author of a row: one item or event cannot be kept; the others are
    ├── CatalogueUnreadable   the operator: a file of items or events is missing or in no format that is known
    ├── LogTooSmall           the operator: there is nothing to measure or to learn from
    └── CursorInvalid         the caller: this is not a cursor of this list
"""

from knowledge_base.errors import AttuneError


class RecommenderError(AttuneError):
    """Something about the catalogue, the log or the suggestions."""


class RowRejected(RecommenderError):
    """One item or event cannot be kept; `field` names what is wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class CatalogueUnreadable(RecommenderError):
    """A file is missing, or is neither CSV nor JSON lines."""


class LogTooSmall(RecommenderError):
    """Too few events to measure or to learn from."""


class CursorInvalid(RecommenderError):
    """A page was asked for with a cursor that no page gave."""
