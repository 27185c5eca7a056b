"""The networks on inference servers: who is asked, what they answer, and what happens when none does."""

from __future__ import annotations

import numpy as np
import pytest
from testing import kserve, pictures

from camalert.config.schema import Detector
from camalert.decoding import frames
from camalert.detection import engines, openvino_cpu, picodet, remote
from camalert.detection.looks import View
from camalert.detection.selftest import self_test
from camalert.errors import EngineUnavailable

pytest.importorskip("openvino", reason="the exported networks are OpenVINO's")


def frame_of(jpeg: bytes) -> frames.Frame:
    buffer = bytearray(2_000_000 * frames.CHANNELS)
    decoded = frames.decode_into(jpeg, memoryview(buffer), 2_000_000)
    return frames.view(memoryview(buffer), decoded.height_px, decoded.width_px).copy()


class Asked:
    """Servers that fail when told to, and note who was asked."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.asked: list[str] = []
        self.now = 0.0

    def connect(self, url: str) -> Asked.One:
        return Asked.One(self, url)

    class One:
        def __init__(self, owner: Asked, url: str) -> None:
            self.owner, self.url = owner, url

        def infer(self, model: str, picture: object, outputs: object) -> list[object]:
            self.owner.asked.append(self.url)
            if self.url in self.owner.down:
                raise EngineUnavailable("connection refused")
            return [self.url]


def test_servers_are_asked_in_order_and_one_that_failed_is_left_alone_for_a_while() -> None:
    """One of two servers may be gone: its turn costs one request in half a minute."""
    asked = Asked()
    servers = remote.Servers(("a", "b"), asked.connect, lambda: asked.now)
    blank = np.zeros((1, 1, 1, 3), np.uint8)

    asked.down = {"a"}
    answers = [servers.infer("m", blank, ("x",)) for _ in range(3)]
    assert (answers, asked.asked) == ([["b"]] * 3, ["a", "b", "b", "b"])

    asked.now, asked.asked, asked.down = remote.RETRY_S, [], set()
    assert servers.infer("m", blank, ("x",)) == ["a"]
    assert asked.asked == ["a"]


def test_servers_that_are_all_gone_are_each_named_with_the_reason() -> None:
    """The owner reads which server is gone, and why."""
    asked = Asked()
    asked.down = {"a", "b"}
    servers = remote.Servers(("a", "b"), asked.connect, lambda: asked.now)

    with pytest.raises(EngineUnavailable, match="a: connection refused; b: connection refused"):
        servers.infer("m", np.zeros((1, 1, 1, 3), np.uint8), ("x",))


@pytest.mark.parametrize("effort", ["fast", "balanced"])
@pytest.mark.parametrize("picture", [pictures.person_jpeg, pictures.cat_jpeg])
def test_scores_of_a_server_are_those_of_the_local_engine(
    effort: str, picture: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported networks take bytes and any number of pictures; what they say in 32-bit floats is the same."""
    full = openvino_cpu.Precision(openvino_cpu.FULL, openvino_cpu.FULL)
    monkeypatch.setattr(openvino_cpu, "faster", lambda *_: full)  # which is faster depends on the machine and its load
    frame = frame_of(picture())  # type: ignore[operator]
    local = engines.load_engine("openvino", Detector(effort=effort))
    far = engines.Elsewhere(remote.Networks("camalert", kserve.networks()), None, lambda: 0.0)

    here, there = local.find(frame, effort), far.find(frame, effort)

    assert len(here) == len(there)
    assert all(abs(a.score - b.score) < 0.02 for a, b in zip(here, there, strict=True))
    assert far.name == "remote"


def test_server_is_asked_for_other_things_only_where_a_camera_is() -> None:
    """A cat is named by either engine; who asks for people alone does not have the answer sent."""
    frame = frame_of(pictures.cat_jpeg())
    asked: list[object] = []

    class Servers:
        def infer(self, model: str, picture: object, outputs: object) -> object:
            asked.append(tuple(outputs))  # type: ignore[call-overload]
            return kserve.networks().infer(model, picture, outputs)

    def seen_by(engine: engines.Engine) -> list[str]:
        return [found.kind for found in engine.find(frame, "fast") if found.kind != "person" and found.score >= 0.5]

    servers: remote.Servers = Servers()  # type: ignore[assignment]
    plain = engines.Elsewhere(remote.Networks("camalert", servers), None, lambda: 0.0)
    more = engines.Elsewhere(remote.Networks("camalert", servers, picodet.OUTPUTS), None, lambda: 0.0)
    here = engines.load_engine("openvino", Detector(effort="fast"), with_others=True)

    assert seen_by(plain) == []
    assert seen_by(more) == seen_by(here) == ["cat"]
    assert asked == [picodet.OUTPUTS[:2], picodet.OUTPUTS]


def test_exported_network_examines_several_pictures_at_once() -> None:
    """What a server brings together from several detectors gets each its own answer."""
    views = [remote.as_bytes(frame_of(jpeg()), View(512, 512)) for jpeg in (pictures.person_jpeg, pictures.cat_jpeg)]

    def run(picture: object) -> list[object]:
        return kserve.networks().infer("camalert_picodet_512x512", picture, ("scores", "dists"))

    together, apart = run(np.concatenate(views)), [run(view) for view in views]

    for output in range(2):
        for number in range(2):
            np.testing.assert_allclose(together[output][number], apart[number][output][0], atol=1e-3)


class Gone:
    """A server that does not answer until it is told to."""

    is_gone = True

    def infer(self, model: str, picture: object, outputs: object) -> list[object]:
        if self.is_gone:
            raise EngineUnavailable("gone")
        return kserve.networks().infer(model, picture, outputs)


def test_without_a_server_the_networks_run_here_if_the_owner_wants_it_so() -> None:
    """A stand-in is loaded when it is first needed, and the server is asked again after a while."""
    now = [0.0]
    server = Gone()
    loaded: list[str] = []

    def stand_in() -> engines.Engine:
        loaded.append("here")
        return engines.load_engine("openvino", Detector(effort="fast"))

    engine = engines.Elsewhere(remote.Networks("camalert", server), stand_in, lambda: now[0])  # type: ignore[arg-type]
    frame = frame_of(pictures.person_jpeg())

    for _ in range(2):
        assert engine.find(frame, "fast")[0].score > 0.5
        assert engine.name == "openvino"
    assert loaded == ["here"]

    server.is_gone = False
    engine.find(frame, "fast")
    assert engine.name == "openvino"  # not yet asked again
    now[0] = remote.RETRY_S
    engine.find(frame, "fast")
    assert engine.name == "remote"


def test_server_with_another_network_is_unavailable_and_no_picture_is_blamed() -> None:
    """What answers something else is not believed, and ends no detector."""

    class Other:
        def infer(self, *_: object) -> list[object]:
            return [np.ones((1, 1, 7), np.float32), np.ones((1, 32, 7), np.float32)]

    networks = remote.Networks("camalert", Other())  # type: ignore[arg-type]
    with pytest.raises(EngineUnavailable, match="is not what"):
        networks.picodet(frame_of(pictures.person_jpeg()), View(512, 512))


def test_client_library_speaks_to_a_server_over_http() -> None:
    """The protocol on the wire: binary tensors both ways, refusals and dead servers in words."""
    pytest.importorskip("tritonclient.http", reason="the remote extra is not installed")
    with kserve.running() as server:
        client = remote.TritonClient(server.url, 30.0)
        engine = engines.Elsewhere(
            remote.Networks("camalert", remote.Servers((server.url,), lambda _: client)), None, lambda: 0.0
        )
        self_test(engine, "balanced", is_complete=True)
        assert server.asked[0] == "camalert_picodet_512x512"
        server.refuses = 503
        with pytest.raises(EngineUnavailable, match="not now"):
            self_test(engine, "balanced")
    with pytest.raises(EngineUnavailable, match=r"http://127\.0\.0\.1:\d+: camalert_picodet_512x512: "):
        self_test(engine, "balanced")
