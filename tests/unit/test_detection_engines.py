"""Every engine that runs the network says the same, and what is missing is said in words."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest

from camalert import frames
from camalert.config import Camera, Config, Detector
from camalert.detection import choice, picodet, weights
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner, examine_file
from camalert.detection.selftest import self_test
from camalert.errors import ConfigError, EngineError, FrameError

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
HAS_HOG = hasattr(cv2, "HOGDescriptor")
FAST = Detector(effort="fast")


@pytest.fixture(scope="module")
def opencv():
    return load_engine("opencv", FAST)


@pytest.fixture(scope="module")
def astronaut():
    return cv2.imdecode(np.frombuffer(weights.read_test_picture(), np.uint8), cv2.IMREAD_COLOR)


def people_of(engine, frame, effort="balanced"):
    return [person for person in engine.people(frame, effort) if person.score >= 0.5]


@pytest.mark.skipif(not HAS_OPENVINO, reason="OpenVINO is not installed")
def test_openvino_and_opencv_agree_within_two_hundredths(opencv, astronaut):
    """The same picture, at several brightnesses and sizes, gets the same scores and boxes from both."""
    openvino = load_engine("openvino", FAST)
    scenes = [astronaut, cv2.convertScaleAbs(astronaut, alpha=0.4), cv2.resize(astronaut, (160, 120))]

    for frame in scenes:
        for view in (picodet.View(384, 512), picodet.View(256, 256, 0.6, is_mirrored=True)):
            ours, theirs = openvino.look(frame, view), opencv.look(frame, view)
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
        name, model = "opencv", "none"

        def people(self, frame, effort):
            return []

    with pytest.raises(EngineError, match="does not find the person"):
        self_test(Blind(), "fast")


def test_weights_of_another_content_are_refused(monkeypatch):
    """The checksum is looked at each time."""
    monkeypatch.setattr(weights, "PICODET", weights.TEST_PICTURE)

    with pytest.raises(EngineError, match="expected 79c4170c"):
        weights.read_picodet()


def test_candidates_of_auto_are_what_is_installed_best_first():
    """OpenVINO first where it is installed, OpenCV always."""
    assert choice.candidates(Detector()) == (("openvino",) if HAS_OPENVINO else ()) + ("opencv",)


def test_candidates_of_a_missing_engine_say_what_to_install(monkeypatch):
    """A named engine that is not there is the owner's to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))

    with pytest.raises(ConfigError, match=r"pip install 'camalert\[openvino\]'"):
        choice.candidates(Detector(engine="openvino"))
    assert choice.candidates(Detector()) == ("opencv",)


@pytest.mark.skipif(HAS_HOG, reason="this OpenCV has HOG")
def test_hog_without_opencv_4_says_what_to_install():
    """OpenCV 5 dropped HOG; both the choice and the engine say which version has it."""
    with pytest.raises(ConfigError, match="opencv-python-headless below 5"):
        choice.candidates(Detector(engine="hog"))
    with pytest.raises(ConfigError, match="opencv-python-headless below 5"):
        load_engine("hog", Detector(engine="hog"))


@pytest.mark.skipif(not HAS_HOG, reason="this OpenCV has no HOG")
def test_hog_answers_within_the_frame(astronaut):
    """HOG's boxes lie within the frame, best first."""
    hog = load_engine("hog", Detector(engine="hog"))
    frame = cv2.resize(astronaut, (900, 900))

    found = hog.people(frame, "balanced")

    self_test(hog, "balanced")
    assert all(person.x + person.width <= 900 and person.y + person.height <= 900 for person in found)
    assert [person.score for person in found] == sorted((person.score for person in found), reverse=True)


def test_examine_gives_the_reason_and_everything_measured(opencv, astronaut):
    """An examination says who was found by what, and why."""
    examiner = Examiner(opencv, Config(detector=FAST))

    found = examiner.examine(astronaut, "")

    assert found.reason.startswith("1 person counted: best score 0.")
    assert (found.engine, found.effort, found.threshold) == ("opencv", "fast", 0.5)
    assert found.best_score == found.people[0].score
    assert found.detect_ms > 0


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"examine": False}, "not examined: the pictures of camera 'Yard' are only stored"),
        ({"threshold": 0.999}, "is below the threshold 1.00"),
        ({"max_person_height_percent": 40.0}, "is larger than the 40 % allowed"),
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
    path.write_bytes(weights.read_test_picture())
    examiner = Examiner(opencv, Config(detector=FAST))

    result = examine_file(path, examiner)

    assert result.frame.shape == (320, 320, frames.CHANNELS)
    assert result.score == result.people[0].score
    with pytest.raises(FrameError, match="cannot be read"):
        examine_file(tmp_path / "missing.jpg", examiner)
