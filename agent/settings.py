"""The only reader of the environment. Lower layers receive values, never this object."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything an operator can choose, with defaults that need no key and no server.

    Read from the environment and from `.env`; `ATTUNE_` stands before every name except the two that OpenAI's own
    clients use.
    """

    model_config = SettingsConfigDict(
        env_prefix="ATTUNE_", env_file=".env", env_file_encoding="utf-8", extra="ignore", populate_by_name=True
    )

    # Where things are kept
    data_dir: Path = Field(Path("data"), description="Databases, vectors and everything else that must survive")
    articles: Path = Field(Path("knowledge_base/articles"), description="What `make run` indexes")

    # The chat model: three variables
    openai_api_key: SecretStr | None = Field(None, validation_alias="OPENAI_API_KEY")
    openai_base_url: str | None = Field(None, validation_alias="OPENAI_BASE_URL")
    model: str | None = Field(None, description="A model name; without one the extractive model answers")

    model_context_tokens: int = Field(16_000, ge=2_000, description="The window that prompt and answer must fit")
    model_answer_tokens: int = Field(1_000, ge=64, description="The most an answer may take")
    model_connect_timeout: float = Field(5, gt=0, description="Seconds")
    model_first_token_timeout: float = Field(20, gt=0, description="Seconds until the first token")
    model_idle_timeout: float = Field(15, gt=0, description="Seconds between two tokens")
    model_retries: int = Field(2, ge=0, le=5, description="Tries after the first, before the first token only")
    model_retry_budget: float = Field(30, gt=0, description="Seconds until the first token, tries and waits together")
    model_total_timeout: float = Field(300, gt=0, description="Seconds for a whole answer of the model")
    model_breaker_failures: int = Field(4, ge=1, description="Failed turns in a row after which the model is skipped")
    model_breaker_cooldown: float = Field(30, gt=0, description="Seconds for which it is skipped")
    model_temperature: float | None = Field(None, ge=0, le=2, description="Left to the server unless set")
    tool_rounds: int = Field(3, ge=1, le=10, description="Model calls with tools in a turn before it must answer")

    # Embeddings
    embeddings: str = Field("local", description="'local', or a model name of the OpenAI-compatible endpoint")
    embeddings_base_url: str | None = None
    embeddings_api_key: SecretStr | None = None

    chroma_url: str | None = Field(None, description="A Chroma server for the vectors instead of the data folder")

    # Limits
    max_message_chars: int = Field(20_000, ge=100)
    history_exchanges: int = Field(6, ge=1, le=50, description="Exchanges that a conversation's working state keeps")

    # Doorways
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=1, le=65535)
    title: str = Field("Fernhollow Help", description="The name over the chat page")
