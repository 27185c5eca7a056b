"""The API does what its description says, asked by a program that knows nothing else of it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from testing.reviewrig import Visitor
from testing.reviewsite import running

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
)  # fmt: skip
# Of a service, and none runs here; and what is 503 until it is made.
ELSEWHERE = (
    "api-setting", "api-settings-undo", "api-settings-encryption", "api-status", "thumbnail", "clip-preview",
)  # fmt: skip


@pytest.mark.skipif(find_spec("schemathesis") is None, reason="the extra `test` installs schemathesis")
def test_api_keeps_what_its_description_promises(tmp_path: Path) -> None:
    """Whatever is asked, the status and the fields are described ones; `test_review_rights` asks without a token."""
    with running(tmp_path / "site") as site:
        visitor = site.visitor()
        fields = {"name": "schemathesis", "scope": "admin", "days": "1", "password": "correct horse 9"}
        assert visitor.post("/account/tokens/", fields).status == 302
        token = visitor.get("/account/").text.split('class="token">')[1].split("<")[0]
        command = [
            sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run",
            f"http://127.0.0.1:{site.port}/api/v1/openapi.json", "--url", f"http://127.0.0.1:{site.port}",
            "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--max-examples", "12",
            "--phases", "examples,fuzzing", "--seed", "1", "--no-color", "--request-timeout", "20",
            *(part for name in ELSEWHERE for part in ("--exclude-operation-id", name)),
        ]  # fmt: skip
        found = subprocess.run(
            command, cwd=tmp_path, env=os.environ | {"PYTHONWARNINGS": "ignore"}, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

        assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
        again = Visitor(site.port, source="127.0.0.9")  # among what was asked is the end of all sessions
        assert again.log_in().status == 302
        assert again.get("/status/").status == 200
