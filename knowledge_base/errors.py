"""What can go wrong below the agent, named by who must act. agent/errors.py draws the whole tree.

AttuneError
└── KnowledgeBaseError
    ├── DocumentRejected        the author: this file cannot be read, and why
    ├── IndexMismatch           the operator: another embedding model made this index
    ├── IndexUnavailable        the operator: the index cannot be opened or written, or its server does not answer
    ├── IngestRunning           the operator: another ingest is writing to this knowledge base
    ├── EmbeddingsUnavailable   the operator: weights missing or altered, endpoint down or misconfigured
    └── QuestionSetInvalid      the operator: a file to measure with is not in the format expected
"""


class AttuneError(Exception):
    """Base of every error that Attune raises on purpose. Its message says what was expected, what came, what to do."""


class KnowledgeBaseError(AttuneError):
    """Something about documents, passages or their index."""


class DocumentRejected(KnowledgeBaseError):
    """This file cannot become a document; the message is the reason that the report shows."""


class IndexMismatch(KnowledgeBaseError):
    """The index on disk was made by another embedding model than the one configured."""


class IndexUnavailable(KnowledgeBaseError):
    """The index cannot be opened or written, or Chroma's server does not answer."""


class IngestRunning(KnowledgeBaseError):
    """Another ingest is writing to this knowledge base; there is one writer at a time."""


class EmbeddingsUnavailable(KnowledgeBaseError):
    """No vectors can be made: the weights are missing or altered, or the endpoint does not answer."""


class QuestionSetInvalid(KnowledgeBaseError):
    """A file to measure with is missing or not in the format expected; the message names the file and the line."""
