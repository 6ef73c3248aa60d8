"""The only reader of the environment. Lower layers receive values, never this object."""

from pathlib import Path
from typing import Literal

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
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL for conversations and profiles: postgresql+psycopg://…; SQLite in data_dir unless set",
    )
    database_connections: int = Field(15, ge=1, description="The most that are open to the database at once")
    database_wait: float = Field(30, gt=0, description="Seconds that a query waits for one of them")
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

    # Profiles, suggestions, predictions
    redis_url: SecretStr | None = Field(None, description="redis://…: lists of suggestions that processes share")
    retrain_hours: float = Field(24, gt=0, description="How often suggestions are learned from the log")
    predict_act_above: float = Field(0.7, ge=0, le=1, description="A foreseen action is taken only above this score")
    predict_deadline: float = Field(0.15, gt=0, le=5, description="Seconds that a turn waits for a prediction")
    offer_discounts: bool = Field(False, description="Whether a discount may be the recommended action")
    send_messages: bool = Field(False, description="Whether writing to a user may be the recommended action")
    kumo_api_key: SecretStr | None = Field(None, validation_alias="KUMO_API_KEY")
    handoff_webhook: str | None = Field(None, description="Takes hand-offs as JSON, answers with the ticket's id")
    handoff_webhook_token: SecretStr | None = None
    handoff_urls: list[str] = Field([], description="Where Apprise sends hand-offs, such as mailto://…")
    profile_half_life_days: float = Field(90, gt=0, description="After how many days a preference counts half")

    # Doorways
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=1, le=65535)
    title: str = Field("Fernhollow Help", description="The name over the chat page")

    # Who may come in, and how much they may ask (ui/api)
    auth: Literal["open", "required"] = Field("open", description="open serves this machine only, to whoever is on it")
    jwt_secret: SecretStr | None = Field(None, min_length=32, description="Checks the tokens' HMAC signature")
    jwt_jwks: str | None = Field(None, description="Where the signers' public keys are: an https address or a file")
    jwt_algorithms: list[str] = Field([], description="By default HS256 with a secret, RS256 and ES256 with keys")
    jwt_issuer: str | None = Field(None, description="What a token's iss must say")
    jwt_audience: str | None = Field(None, description="What a token's aud must hold")
    jwt_user_claim: str = Field("sub", description="The claim that is the user id")
    jwt_admin_scope: str = Field("attune:admin", description="In a token's scope: acts for anyone")
    cors_origins: list[str] = Field([], description="Web pages of other origins that may call the API, each by name")
    rate_limit: str | None = Field(None, description="A caller's requests on a route; 'off' for none")
    turn_rate_limit: str | None = Field(None, description="A caller's questions; 'off' for none")
    rate_limit_url: SecretStr | None = Field(None, description="redis://… where several processes count together")
    max_streams: int = Field(8, ge=1, description="Answers that may be written for one user at the same time")
    turn_timeout: float = Field(300, gt=0, description="Seconds for a whole turn")
    stall_timeout: float = Field(1, gt=0, description="Seconds for which a stream waits on a reader that takes nothing")

    # What is told about the work (ui/)
    log_messages: bool = Field(False, description="Log questions and answers, without personal data")
    mask_personal_data: bool = Field(False, description="Mask it in what a model on another machine is sent")
    otlp_endpoint: str | None = Field(None, description="Traces go to this OpenTelemetry collector (gRPC)")

    # Slack and Discord
    slack_bot_token: SecretStr | None = Field(None, description="xoxb-…")
    slack_app_token: SecretStr | None = Field(None, description="xapp-…, for socket mode")
    slack_signing_secret: SecretStr | None = Field(None, description="Checks requests in http mode")
    slack_mode: Literal["socket", "http"] = Field("socket", description="How events come in")
    slack_host: str = Field("127.0.0.1", description="The address of http mode")
    slack_port: int = Field(3000, ge=1, le=65535)
    slack_url: str = Field("https://slack.com/api/", description="Slack's Web API; another one for GovSlack or tests")
    discord_token: SecretStr | None = Field(None, description="The bot's token")
    discord_follow_ups: bool = Field(False, description="Answer in its threads without a mention; privileged intent")

    @property
    def models_dir(self) -> Path:
        """Where what the recommender and the predictor learned is kept."""
        return self.data_dir / "models"
