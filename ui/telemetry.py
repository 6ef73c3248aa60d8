"""Switches off what libraries would report to their makers, unless the operator has set it."""

import os

OFF = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    # Gradio keeps statistics of its page's events even so, and sums them up after each: for one event, and never.
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": "1000000000",
    "ANONYMIZED_TELEMETRY": "False",
    "ORT_DISABLE_TELEMETRY": "1",  # knowledge_base/embeddings.py sets it too, for those who come in by another way
    "LANGSMITH_TRACING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}


def switch_off_telemetry() -> None:
    """To be called before the first import of Gradio, Chroma or LangChain."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
