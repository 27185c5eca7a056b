"""The self-test in a process of its own: what the command line asks before it trusts an engine."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import cv2
import pytest

from camalert.errors import Exit


def run(*command, **settings):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **settings)


def test_selftest_of_opencv_ends_well_and_says_nothing():
    """The engine of the core packages works wherever the tests do."""
    done = run(sys.executable, "-m", "camalert.detection.selftest", "opencv")

    assert (done.returncode, done.stdout, done.stderr) == (Exit.OK, "", "")


def test_selftest_of_hog_works_or_says_what_to_install():
    """The original's method is there with OpenCV 4; with 5 the owner reads one line."""
    done = run(sys.executable, "-m", "camalert.detection.selftest", "hog")

    if hasattr(cv2, "HOGDescriptor"):
        assert (done.returncode, done.stderr) == (Exit.OK, "")
    else:
        assert done.returncode == Exit.CONFIG
        assert "pip install 'camalert[hog]'" in done.stderr


def test_selftest_of_an_unknown_engine_ends_as_configuration_error():
    """A name that is no engine is the owner's to change."""
    done = run(sys.executable, "-m", "camalert.detection.selftest", "crystal ball")

    assert done.returncode == Exit.CONFIG
    assert "allowed are openvino, opencv, hog" in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_selftest_of_openvino_leaves_no_file_and_opens_no_internet_socket(tmp_path):
    """Nothing leaves the house: HOME stays empty, and under strace (where there is one) no socket but local ones."""
    trace = tmp_path / "trace"
    home = tmp_path / "home"
    home.mkdir()
    strace = shutil.which("strace")
    watched = (strace, "-f", "-qq", "-e", "trace=socket", "-o", str(trace)) if strace else ()

    done = run(
        *watched, sys.executable, "-m", "camalert.detection.selftest", "openvino",
        env=os.environ | {"HOME": str(home), "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""},
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (Exit.OK, "")
    assert re.match(r"f32|bf16|f16", done.stdout), "its precision, for `check`"
    assert list(home.iterdir()) == []
    if strace:
        assert "AF_INET" not in trace.read_text()


def test_choice_imports_no_image_library():
    """The supervisor may ask which engines there are without loading one."""
    ask = (
        "import sys; from camalert.config.schema import Detector; from camalert.detection.choice import candidates; "
        "candidates(Detector()); print(sorted({'cv2', 'numpy', 'openvino', 'imutils'} & set(sys.modules)))"
    )

    assert run(sys.executable, "-c", ask).stdout.strip() == "[]"


def test_detector_imports_no_engine_before_it_is_asked_for_one():
    """A detector pays for its own engine alone: HOG's imutils would bring urllib, OpenVINO's converter its tools."""
    ask = (
        "import sys; import camalert.detection.process; "
        "print(sorted({'openvino', 'imutils', 'urllib.request', 'email.message'} & set(sys.modules)))"
    )

    assert run(sys.executable, "-c", ask).stdout.strip() == "[]"


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_openvino_runs_without_its_converter():
    """The converter of models is half of the import's time; a release that cannot do without it shows here."""
    ask = (
        "import sys; from camalert.config.schema import Detector; from camalert.detection.engines import load_engine; "
        "load_engine('openvino', Detector(effort='fast')); print(sys.modules['openvino.tools.ovc'])"
    )

    assert run(sys.executable, "-c", ask).stdout.strip() == "None"
