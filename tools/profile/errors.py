"""What can go wrong with a profile, named by who must act.

AttuneError
└── ProfileError
    ├── ProfileInputInvalid     the caller: a value cannot be kept as given; `field` names it
    └── TaxonomyInvalid         the operator: entries of a taxonomy file cannot be read; `problems` names each
"""

from collections.abc import Sequence

from knowledge_base.errors import AttuneError


class ProfileError(AttuneError):
    """Something about a user's profile or the taxonomy."""


class ProfileInputInvalid(ProfileError):
    """A value cannot be kept as given; nothing was written."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TaxonomyInvalid(ProfileError):
    """Entries of a taxonomy cannot be read; nothing of it was written."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("The taxonomy was not loaded: " + "; ".join(problems))
        self.problems = tuple(problems)
