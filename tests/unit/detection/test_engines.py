"""Every engine that runs the network says the same, and what is missing is said in words."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest

from camalert.config.schema import Camera, Config, Detector
from camalert.decoding import frames
from camalert.detection import choice, council, looks, openvino_cpu, picodet, weights
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner, examine_file
from camalert.detection.selftest import PICTURE, self_test
from camalert.errors import ConfigError, EngineError, FrameError

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
HAS_HOG = hasattr(cv2, "HOGDescriptor")
FAST = Detector(effort="fast")


@pytest.fixture(scope="module")
def opencv():
    return load_engine("opencv", FAST)


@pytest.fixture(scope="module")
def astronaut():
    return cv2.imdecode(np.frombuffer(weights.shipped_file(PICTURE), np.uint8), cv2.IMREAD_COLOR)


def figure():
    """Somebody who stands, in grey before grey: head, body and legs, 320 px from the left, 80 to 400 from the top."""
    frame = np.full((480, 640, 3), 150, np.uint8)
    cv2.circle(frame, (320, 110), 26, (60, 60, 60), -1)
    cv2.ellipse(frame, (320, 210), (48, 85), 0, 0, 360, (60, 60, 60), -1)
    for left in (282, 328):
        cv2.rectangle(frame, (left, 200), (left + 30, 400), (60, 60, 60), -1)
    return cv2.GaussianBlur(frame, (5, 5), 0)


def people_of(engine, frame, effort="balanced"):
    return [person for person in engine.find(frame, effort) if person.score >= 0.5]


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_openvino_and_opencv_agree_within_two_hundredths(opencv, astronaut, monkeypatch):
    """The same picture, at several brightnesses and sizes, gets the same scores and boxes from both."""
    monkeypatch.setattr(openvino_cpu, "faster", lambda name, own_ms, full_ms: openvino_cpu.Precision("f32", ""))
    openvino = load_engine("openvino", FAST)
    scenes = [astronaut, cv2.convertScaleAbs(astronaut, alpha=0.4), cv2.resize(astronaut, (160, 120))]

    for frame in scenes:
        for view in (looks.View(384, 512), looks.View(256, 256, 0.6, is_mirrored=True)):
            ours, theirs = openvino.run_pass(frame, view).people, opencv.run_pass(frame, view).people
            assert abs(ours[0, 4] - theirs[0, 4]) <= 0.02
            assert np.abs(ours[0, :4] - theirs[0, :4]).max() <= 0.03 * max(frame.shape)


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_openvino_is_imported_without_its_telemetry():
    """Nothing leaves the house: the package that would send is kept from being imported."""
    load_engine("openvino", FAST)

    assert sys.modules["openvino_telemetry"] is None


def test_opencv_passes_the_self_test(opencv):
    """The engine of the core packages finds the person of the test picture."""
    self_test(opencv, "fast")


@pytest.mark.parametrize("effort", ["fast", "balanced", "thorough"])
def test_people_of_every_effort_find_the_astronaut_once(opencv, astronaut, effort):
    """One person is one box, whatever the effort."""
    found = people_of(opencv, astronaut, effort)

    assert len(found) == 1
    assert found[0].score > 0.6


@pytest.mark.parametrize(("height", "width"), [(120, 160), (160, 120), (1080, 1920), (2448, 3264)])
def test_people_of_every_size_lie_where_the_astronaut_is(opencv, astronaut, height, width):
    """Boxes are in pixels of the frame they were asked about."""
    frame = np.full((height, width, 3), 90, np.uint8)
    side = int(min(height, width) * 0.9)
    frame[-side:, :side] = cv2.resize(astronaut, (side, side))

    best = people_of(opencv, frame, "fast")[0]

    assert best.x + best.width <= side * 1.05
    assert best.height > 0.6 * side


def test_self_test_with_a_blind_engine_says_so():
    """An engine that answers without seeing is not taken."""

    class Blind:
        name = "opencv"

        def first_look(self, frame, effort):
            return []

    with pytest.raises(EngineError, match="does not find the person"):
        self_test(Blind(), "fast")


@pytest.mark.parametrize("name", sorted(weights.SHA256))
def test_weights_of_another_content_are_refused(monkeypatch, name):
    """The checksum of every file of a network is looked at each time."""
    content = weights.read(name)
    monkeypatch.setattr(weights, "shipped_file", lambda name: content[:-1] + b"\0\0")

    with pytest.raises(EngineError, match=f"expected {weights.SHA256[name][:8]}"):
        weights.read(name)


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
@pytest.mark.parametrize("effort", ["fast", "balanced", "thorough"])
def test_council_finds_the_astronaut_once(astronaut, effort):
    """One person is one box, whatever the effort and whoever is asked."""
    engine = load_engine("openvino", Detector(effort=effort))

    found = people_of(engine, astronaut, effort)

    assert len(found) == 1
    assert found[0].score > 0.6


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_council_reads_its_files_at_the_start_and_none_later(astronaut, monkeypatch):
    """A detector that may open no file once it works still asks every network."""
    engine = load_engine("openvino", Detector(effort="fast"), ("balanced",))
    monkeypatch.setattr(weights, "shipped_file", lambda name: pytest.fail(f"{name} was read"))
    monkeypatch.setattr(council, "is_clear", lambda odds, effort, asked: asked == len(effort.stages))

    assert people_of(engine, astronaut, "balanced")[0].score > 0.5


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_council_of_fast_reads_one_network(monkeypatch):
    """A small board that asks for little keeps little."""
    read = []
    monkeypatch.setattr(weights, "read", lambda name, was=weights.read: read.append(name) or was(name))

    engine = load_engine("openvino", FAST)
    engine.complete("fast")

    assert read == [picodet.FILE]
    assert engine.model("fast") == picodet.NAME


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_council_compiles_the_first_look_at_once_and_the_rest_when_completed(monkeypatch):
    """What three pictures in five need is all that a start waits for."""
    compiled = []
    compile_ = openvino_cpu.Compiler.compile
    monkeypatch.setattr(
        openvino_cpu.Compiler, "compile", lambda self, network: compiled.append(network) or compile_(self, network)
    )
    monkeypatch.setattr(
        openvino_cpu.Compiler, "choose_precision", lambda self, network: openvino_cpu.Precision("f32", "f32")
    )

    engine = load_engine("openvino", Detector(effort="balanced"))
    at_start = len(compiled)
    engine.complete("balanced")
    engine.complete("balanced")

    assert (at_start, len(compiled)) == (1, 3)


@pytest.mark.parametrize(
    "name", ["opencv", pytest.param("openvino", marks=pytest.mark.skipif(not HAS_OPENVINO, reason="not installed"))]
)
def test_find_looks_for_other_things_only_where_it_is_loaded_for_them(astronaut, name):
    """People are the same either way, and what is cut off is not computed."""
    plain, more = load_engine(name, FAST), load_engine(name, FAST, with_others=True)
    blob = picodet.prepare(astronaut, looks.View(384, 512))

    if name == "openvino":
        cut, whole = plain._run_picodet(blob), more._run_picodet(blob)
        assert (cut.others, cut.quality) == (None, None)
        assert whole.others.shape == (1, len(picodet.KINDS), whole.scores.shape[2])
    people = [person for person in more.find(astronaut, "fast") if person.kind == "person"]
    assert people == plain.find(astronaut, "fast")


@pytest.mark.skipif(HAS_HOG, reason="this OpenCV has HOG")
def test_hog_without_opencv_4_says_what_to_install():
    """OpenCV 5 dropped HOG; the choice and the engine say what brings it, and no other engine is taken silently."""
    with pytest.raises(ConfigError, match=r"pip install 'camalert\[hog\]'"):
        choice.candidates(Detector(engine="hog"))
    with pytest.raises(ConfigError, match=r"pip install 'camalert\[hog\]'"):
        load_engine("hog", Detector(engine="hog"))


@pytest.mark.skipif(not HAS_HOG, reason="this OpenCV has no HOG")
def test_hog_answers_within_the_frame(astronaut):
    """HOG's boxes lie within the frame, best first."""
    hog = load_engine("hog", Detector(engine="hog"))
    frame = cv2.resize(astronaut, (900, 900))

    found = hog.find(frame, "balanced")

    self_test(hog, "balanced")
    assert all(person.x + person.width <= 900 and person.y + person.height <= 900 for person in found)
    assert [person.score for person in found] == sorted((person.score for person in found), reverse=True)


@pytest.mark.skipif(not HAS_HOG, reason="this OpenCV has no HOG")
def test_hog_finds_the_whole_figure_that_the_original_would():
    """Its method works, not only its code: somebody who stands is found where they are, in full."""
    hog = load_engine("hog", Detector(engine="hog"))

    best = hog.find(figure(), "balanced")[0]

    assert best.score > 0.5
    assert abs(best.x + best.width / 2 - 320) < 40
    assert best.height > 200


def test_examine_gives_the_reason_and_everything_measured(opencv, astronaut):
    """An examination says who was found by what, and why."""
    examiner = Examiner(opencv, Config(detector=FAST))

    found = examiner.examine(astronaut, "")

    assert found.reason.startswith("1 person, surest ")
    assert (found.engine, found.effort, found.threshold) == ("opencv", "fast", 0.5)
    assert found.best_score == found.people[0].score
    assert found.detect_ms > 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"examine": False}, "not examined: the pictures of camera 'Yard' are only stored"),
        ({"threshold": 0.999}, "is below the threshold of 100 %"),
        ({"max_person_height_percent": 40.0}, "above the maximum of 40 %"),
    ],
)
def test_examine_obeys_the_camera(opencv, astronaut, settings, reason):
    """A camera's section overrides what holds for all."""
    config = Config(detector=FAST, camera=(Camera(name="Yard", **settings),))

    found = Examiner(opencv, config).examine(astronaut, "yard")

    assert not found.people
    assert reason in found.reason


def test_examine_file_gives_score_and_frame(opencv, tmp_path):
    """A file is decoded as the service would decode it; a missing one ends in words."""
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(weights.shipped_file(PICTURE))
    examiner = Examiner(opencv, Config(detector=FAST))

    found, frame = examine_file(path, examiner)

    assert frame.shape == (320, 320, frames.CHANNELS)
    assert found.best_score == found.people[0].score
    with pytest.raises(FrameError, match="cannot be read"):
        examine_file(tmp_path / "missing.jpg", examiner)
