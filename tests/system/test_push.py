"""Web Push by the real service: switched on at the site, sent by the notifier as it is confined."""

from __future__ import annotations

import base64
import http.client
from pathlib import Path

import pytest
from testing.ports import free_port
from testing.reviewrig import Visitor
from testing.service import ServiceUnderTest
from testing.waiting import until

pytest.importorskip("django", reason="the site is an extra")
pytest.importorskip("cryptography", reason="the push extra is not installed")

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NOWHERE = "no-such-host-of-camalert.push.services.mozilla.com"


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_notifier_encrypts_and_connects_to_the_browser_s_service(tmp_path: Path) -> None:
    """It reads who is told, encrypts, and fails only because nobody has this name; key and list are private."""
    port, data = free_port(), tmp_path / "service" / "review"
    service = ServiceUnderTest(
        tmp_path / "service", review__enabled="true", review__host="127.0.0.1", review__port=port, review__data_dir=data
    )
    owner = Visitor(port)
    try:
        service.start()
        service.wait_for("review_site_ready")
        assert owner.set_up(data).status == 302
        block = {"name": "Browsers", "url": "webpush://browsers", "events": ["visit"]}
        made = owner.send("/api/v1/settings/change/", {"kind": "notify", "name": "Browsers", "block": block})
        assert made.status == 202, made.text

        def is_in_force() -> bool:
            try:
                found = owner.get(f"/api/v1/settings/changes/{made.json()['id']}/").json()
            except (OSError, http.client.HTTPException, ValueError):
                return False
            assert found["state"] != "refused", found
            return bool(found["state"] == "in force")

        until(is_in_force, service.tail, 90.0)
        point = ec.generate_private_key(ec.SECP256R1()).public_key()
        keys = {
            "p256dh": text_of(point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
            "auth": text_of(b"a" * 16),
        }
        asked = owner.send("/app/push/subscribe/", {"endpoint": f"https://{NOWHERE}/x", "keys": keys})
        assert asked.status == 201, asked.text

        assert owner.send("/api/v1/notifications/test/", {"target": "Browsers"}).status == 202

        [failed, *_] = service.wait_for("message_not_sent", limit_s=90.0)
        assert NOWHERE in str(failed), failed
        assert "unexpected" not in str(failed), failed
        assert service.find("target_opened", target="Browsers", url="webpush://browsers")
        assert (data / "push").stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in (data / "push").iterdir()} == {0o600}
    finally:
        service.close()
