"""Who may call, and for whom."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from agent.errors import SettingsError
from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tests.ui.signed_in import AUDIENCE, ISSUER, SECRET, SignedIn, bearer, opened, token
from ui.app import create_api

QUESTION = {"query": "How does escrow work?"}


def assert_refused(response: httpx.Response, status: int = 401) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    if status == 401:
        assert response.headers["www-authenticate"].startswith("Bearer")


PATHS = [
    ("POST", "/api/query"),
    ("POST", "/api/query/stream"),
    ("POST", "/api/feedback"),
    ("GET", "/api/conversations"),
    ("GET", "/api/starters"),
    ("GET", "/api/nothing"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_every_path_of_the_api_asks_who_calls(closed: SignedIn, method: str, path: str):
    assert_refused(await closed.client.request(method, path, json=QUESTION))


async def test_health_and_the_reference_ask_nobody(closed: SignedIn):
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert (await closed.client.get(path)).status_code == 200


async def test_a_token_says_who_asks(closed: SignedIn):
    response = await closed.client.post("/api/query", json=QUESTION, headers=bearer(token("ada")))
    assert response.status_code == 200
    assert closed.assistant.turns[0].user_id == "ada"


async def test_a_key_says_who_asks(closed: SignedIn):
    response = await closed.client.post("/api/query", json=QUESTION, headers=await closed.key("bob"))
    assert response.status_code == 200
    assert closed.assistant.turns[0].user_id == "bob"


async def test_naming_oneself_is_allowed(closed: SignedIn):
    response = await closed.client.post("/api/query", json=QUESTION | {"user_id": "ada"}, headers=bearer(token()))
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/query"),
        ("POST", "/api/query/stream"),
        ("POST", "/api/feedback"),
        ("GET", "/api/conversations?user_id=bob"),
        ("GET", "/api/conversations/conversation-1?user_id=bob"),
        ("DELETE", "/api/conversations/conversation-1?user_id=bob"),
    ],
)
async def test_naming_somebody_else_is_refused(closed: SignedIn, method: str, path: str):
    body = {"user_id": "bob", "query": "Hi", "message_id": "message-1", "rating": 1}
    response = await closed.client.request(method, path, json=body, headers=bearer(token("ada")))
    assert_refused(response, 403)
    assert response.json()["errors"][0]["field"] == "user_id"
    assert closed.assistant.turns == []


async def test_an_admin_acts_for_anyone(closed: SignedIn):
    for headers in (await closed.key("root", "admin"), bearer(token("root", scope="openid attune:admin"))):
        response = await closed.client.post("/api/query", json=QUESTION | {"user_id": "bob"}, headers=headers)
        assert response.status_code == 200
    assert [turn.user_id for turn in closed.assistant.turns] == ["bob", "bob"]


async def test_the_metrics_are_for_admins(closed: SignedIn):
    assert_refused(await closed.client.get("/metrics", headers=bearer(token())), 403)
    assert (await closed.client.get("/metrics", headers=await closed.key("root", "admin"))).status_code == 200


async def test_a_revoked_key_is_refused_at_once(closed: SignedIn):
    keys = await closed.app.state.access.keys()
    made, text = await keys.create("ada")
    assert (await closed.client.get("/api/starters", headers=bearer(text))).status_code == 200
    await keys.revoke(made.id)
    assert_refused(await closed.client.get("/api/starters", headers=bearer(text)))


def unsigned(header: dict[str, Any], payload: dict[str, Any], signature: str = "") -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload))
    return ".".join([*parts, signature])


CLAIMS = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000}
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
RSA_PUBLIC = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
FORGED = {
    "no algorithm": unsigned({"alg": "none", "typ": "JWT"}, CLAIMS),
    "no algorithm, in capitals": unsigned({"alg": "NONE"}, CLAIMS),
    "no signature": unsigned({"alg": "HS256"}, CLAIMS),
    "no header": ".e30.",
    "no token": "ada",
    "three dots": "...",
    "another secret": token(key="another secret that is long enough for this"),
    "another algorithm with the same secret": token(algorithm="HS512", key=SECRET + SECRET),
    "an algorithm of public keys": token(key=RSA, algorithm="RS256"),
    "an altered payload": token().replace(token().split(".")[1], unsigned({}, CLAIMS | {"sub": "root"}).split(".")[1]),
    "expired": token(exp=int(time.time()) - 60),
    "not yet valid": token(nbf=int(time.time()) + 600),
    "without an end": token(exp=None),
    "of another issuer": token(iss="https://evil.example"),
    "without an issuer": token(iss=None),
    "for another service": token(aud="other"),
    "without an audience": token(aud=None),
    "without a user": token(sub=None),
    "of an empty user": token(" "),
    "of a user that no log can show": token("ada\nroot"),
    "of a user that is too long": token("a" * 201),
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_token_opens_nothing(closed: SignedIn, name: str):
    assert_refused(await closed.client.post("/api/query", json=QUESTION, headers=bearer(FORGED[name])))
    assert closed.assistant.turns == []


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YWRhOmFkYQ==", "bearer\tx", "Token abc"])
async def test_other_ways_to_sign_in_are_refused(closed: SignedIn, header: str):
    assert_refused(await closed.client.get("/api/starters", headers={"Authorization": header}))


async def test_a_cookie_is_not_enough_for_the_api(closed: SignedIn):
    cookies = {"Cookie": f"attune_session={token()}"}
    assert_refused(await closed.client.get("/api/starters", headers=cookies))


async def test_what_a_proxy_says_of_the_user_is_heard_from_marked_keys_only(closed: SignedIn):
    ask = {"model": "attune", "messages": [{"role": "user", "content": "Hi"}]}
    said = {"X-OpenWebUI-User-Id": "bob"}
    for headers in (bearer(token("ada")), await closed.key("ada"), await closed.key("ada", "admin")):
        assert (await closed.client.post("/v1/chat/completions", json=ask, headers=headers | said)).status_code == 200
    proxy = await closed.key("openwebui", "trusted-proxy")
    for more in (said, {}):
        assert (await closed.client.post("/v1/chat/completions", json=ask, headers=proxy | more)).status_code == 200
    assert [turn.user_id for turn in closed.assistant.turns] == ["ada", "ada", "ada", "bob", "openwebui"]


async def test_a_proxied_user_is_no_admin(closed: SignedIn):
    headers = await closed.key("openwebui", "trusted-proxy", "admin") | {"X-OpenWebUI-User-Id": "bob"}
    assert_refused(await closed.client.get("/api/conversations?user_id=cyd", headers=headers), 403)


async def test_keys_alone_are_enough(settings: Settings, assistant: ScriptedAssistant):
    async with opened(settings.model_copy(update={"auth": "required"}), assistant) as closed:
        assert_refused(await closed.client.get("/api/starters"))
        assert_refused(await closed.client.get("/api/starters", headers=bearer(token())))
        assert (await closed.client.get("/api/starters", headers=await closed.key("ada"))).status_code == 200


class Signer(BaseHTTPRequestHandler):
    """Serves the public keys, and counts how often it is asked."""

    keys: Sequence[dict[str, Any]] = ()
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        body = json.dumps({"keys": list(self.keys)}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def signer() -> Iterator[tuple[str, Any]]:
    serving: Any = type("ThisSigner", (Signer,), {"asked": 0})
    server = HTTPServer(("127.0.0.1", 0), serving)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/keys", serving
    server.shutdown()
    thread.join()
    server.server_close()


def public(private: Any, kid: str) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    return dict(kind.to_jwk(private.public_key(), as_dict=True)) | {"kid": kid, "use": "sig"}


def with_public_keys(settings: Settings, place: str) -> Settings:
    return settings.model_copy(update={"jwt_jwks": place, "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE})


async def test_public_keys_are_fetched_once(settings: Settings, assistant: ScriptedAssistant, signer: tuple[str, Any]):
    place, served = signer
    curve = ec.generate_private_key(ec.SECP256R1())
    served.keys = [public(RSA, "one"), public(curve, "two")]
    async with opened(with_public_keys(settings, place), assistant) as closed:
        for private, algorithm, kid in ((RSA, "RS256", "one"), (curve, "ES256", "two")):
            headers = bearer(token(key=private, algorithm=algorithm, kid=kid))
            responses = await asyncio.gather(*(closed.client.get("/api/starters", headers=headers) for _ in range(5)))
            assert {response.status_code for response in responses} == {200}
        for _ in range(5):  # a made-up key id does not make us ask again and again
            headers = bearer(token(key=RSA, algorithm="RS256", kid="three"))
            assert_refused(await closed.client.get("/api/starters", headers=headers))
    assert served.asked == 1


async def test_a_public_key_is_no_secret(settings: Settings, assistant: ScriptedAssistant, tmp_path: Path):
    """Signing with the public key as if it were a shared secret, which everyone knows."""
    place = tmp_path / "keys.json"
    place.write_text(json.dumps({"keys": [public(RSA, "one")]}))
    forged = unsigned({"alg": "HS256", "kid": "one"}, CLAIMS)
    digest = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = digest.sign(forged.rstrip(".").encode(), RSA_PUBLIC.encode())
    forged += base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
    async with opened(with_public_keys(settings, str(place)), assistant) as closed:
        assert_refused(await closed.client.get("/api/starters", headers=bearer(forged)))
        genuine = bearer(token(key=RSA, algorithm="RS256", kid="one"))
        assert (await closed.client.get("/api/starters", headers=genuine)).status_code == 200


async def test_keys_that_cannot_be_fetched_are_our_fault(settings: Settings, assistant: ScriptedAssistant):
    async with opened(with_public_keys(settings, "http://127.0.0.1:9/keys"), assistant) as closed:
        response = await closed.client.get("/api/starters", headers=bearer(token(key=RSA, algorithm="RS256")))
        assert_refused(response, 503)


@pytest.mark.parametrize(
    "change",
    [
        {"jwt_issuer": None},
        {"jwt_audience": None},
        {"jwt_jwks": "keys.json"},
        {"jwt_algorithms": ["none"]},
        {"jwt_algorithms": ["HS256", "RS256"]},
        {"jwt_secret": None, "jwt_jwks": "http://login.example/keys"},
        {"jwt_secret": None, "jwt_jwks": "keys.json", "jwt_algorithms": ["HS256"]},
        {"cors_origins": ["*"]},
        {"cors_origins": ["help.example"]},
        {"rate_limit": "many"},
        {"rate_limit_url": "http://127.0.0.1"},
    ],
)
def test_settings_that_would_not_be_safe_are_refused(closed_settings: Settings, change: dict[str, Any]):
    values = closed_settings.model_dump() | change
    with pytest.raises(SettingsError, match="ATTUNE_"):
        create_api(Settings(_env_file=None, **values), assistant=ScriptedAssistant())


def test_a_network_is_served_only_where_callers_sign_in(settings: Settings):
    network = settings.model_copy(update={"host": "0.0.0.0"})  # noqa: S104
    with pytest.raises(SettingsError, match=r"ATTUNE_AUTH=required .*keys create"):
        create_api(network, assistant=ScriptedAssistant())
    assert create_api(network.model_copy(update={"auth": "required"}), assistant=ScriptedAssistant())
