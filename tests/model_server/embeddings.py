"""Embeddings as hashed bags of words: texts that share words are near."""

import base64
import hashlib
import json
import re
import struct
from collections.abc import Mapping
from math import sqrt
from typing import Any, cast

from tests.model_server.steps import USAGE, whole

_EMBEDDING_DIMENSIONS = 64


def _embedding(item: object) -> list[float]:
    words = (
        re.findall(r"\w+", item.lower()) if isinstance(item, str) else [str(token) for token in cast(list[int], item)]
    )
    vector = [1e-3] * _EMBEDDING_DIMENSIONS
    for word in words:
        digest = hashlib.sha256(word.encode()).digest()
        vector[digest[0] % _EMBEDDING_DIMENSIONS] += 1 if digest[1] % 2 else -1
    length = sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def embeddings(body: Mapping[str, Any]) -> bytes:
    given = body["input"]
    single = isinstance(given, str) or bool(given and isinstance(given[0], int))
    vectors = [_embedding(item) for item in ([given] if single else given)]
    packed = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if packed else vector,
        }
        for place, vector in enumerate(vectors)
    ]
    payload = {"object": "list", "data": data, "model": body.get("model"), "usage": USAGE}
    return whole(200, json.dumps(payload).encode(), {})
