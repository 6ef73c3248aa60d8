"""How long `make run` takes on a set-up machine until the page and the API answer: `python -m benchmarks.startup`.

The data folder is a temporary one. The first start indexes the demo articles; the others find them unchanged.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
LIMIT = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first = time_start(Path(folder))
        others = [time_start(Path(folder)) for _ in range(options.starts)]
    results = {"first start, indexing (s)": first, "start p50 (s)": median(others)}
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        for name, value in results.items():
            print(f"{name:30} {value:6.2f}" + ("   (bar: less than 8)" if name == "start p50 (s)" else ""))


def time_start(data: Path) -> float:
    """Seconds from `make run` until the page is served and a question is answered."""
    port = _free_port()
    environment = os.environ | {"ATTUNE_PORT": str(port), "ATTUNE_DATA_DIR": str(data), "ATTUNE_MODEL": ""}
    started = time.perf_counter()
    server = subprocess.Popen(
        ["make", "--silent", "run"],  # noqa: S607
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}", server)
        return time.perf_counter() - started
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(url: str, server: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if server.poll() is not None:
            raise SystemExit(f"`make run` ended with code {server.returncode}; run it by hand to see why")
        try:
            urllib.request.urlopen(url + "/", timeout=5).read()  # noqa: S310
            _ask(url)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"`make run` did not answer within {LIMIT} s")


def _ask(url: str) -> None:
    body = json.dumps({"user_id": "bench", "query": "How does escrow work?"}).encode()
    request = urllib.request.Request(  # noqa: S310
        url + "/api/query", data=body, headers={"Content-Type": "application/json"}
    )
    reply = json.loads(urllib.request.urlopen(request, timeout=30).read())  # noqa: S310
    assert reply["answered"], reply


if __name__ == "__main__":
    main()
