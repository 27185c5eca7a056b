"""Of the path of an upload the camera and the time are read, and no day, hour or kind of files becomes a camera."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Folder
from camalert.intake.folder.paths import facts_of_path, is_numbered
from camalert.intake.mail.facts import Facts

LAYOUTS = [
    ("2026-11-28/001/jpg/18/23/31[M][0@0][0].jpg", "", "2026-11-28 18:23:31"),
    ("AMC002A3_K2/2026-11-28/001/dav/18/18.23.31-18.23.44[M][0@0][0].dav", "AMC002A3_K2", "2026-11-28 18:23:31"),
    ("2026/11/28/Garage_01_20261128182331.jpg", "Garage", ""),
    ("Reolink/2026/11/28/Back_Yard_00_20261128182331.mp4", "Reolink", ""),
    ("20261128/images000/A26112818233100.jpg", "", ""),
    ("2026Y11M28D18H/23M31S60.mp4", "", "2026-11-28 18:23:31"),
    ("yi/2026Y11M28D18H/E2026Y11M28D18H.mp4", "yi", ""),
    ("snap/MDAlarm_20261128-182331.jpg", "", ""),
    ("FI9800P_00626E/snap/MDAlarm_20261128-182331.jpg", "FI9800P_00626E", ""),
    ("FI9800P_00626E/record/2026/x.jpg", "FI9800P_00626E", ""),
    ("28Nov2026/pic_001/x.jpg", "", ""), ("November 2026/x.jpg", "", ""), ("2026.11.28/18h/x.jpg", "", ""),
    ("2026_11_28-2026_11_28/001/x.jpg", "", ""), ("record000/x.jpg", "", ""), ("Today/Gate/x.jpg", "Gate", ""),
    ("2026年11月28日/x.jpg", "", ""), ("Gate 2/2026/x.jpg", "Gate 2", ""), ("Marcus/x.jpg", "Marcus", ""),
    ("Maya/x.jpg", "Maya", ""), ("cam1/x.jpg", "cam1", ""), ("Einfahrt/2026/x.jpg", "Einfahrt", ""), ("x.jpg", "", ""),
    ("Hof_01_20261128182331.jpg", "Hof", ""), ("IMG_20261128.jpg", "", ""), ("2026-11-28T18/x.jpg", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("path", "camera", "time"), LAYOUTS)
def test_layouts_of_makers_are_read(path: str, camera: str, time: str) -> None:
    """As each maker uploads, straight into the folder or into a camera's own."""
    found = facts_of_path(path, Folder(), Facts())

    assert (found.camera, found.time) == (camera, time)


@pytest.mark.parametrize(
    "path", [path for path, camera, _ in LAYOUTS if not camera] + ["2026/11/Hof_01_20261128182331.jpg"]
)
def test_camera_of_the_configuration_is_that_of_folders_of_days(path: str) -> None:
    """Where no folder names a camera, the owner's word counts before that of a file's name."""
    assert facts_of_path(path, Folder(camera="yard"), Facts(camera="said")).camera == "yard"
    assert facts_of_path("gate/x.jpg", Folder(camera="yard"), Facts()).camera == "gate"


def test_pattern_reads_any_other_layout() -> None:
    """Its groups win over everything; where it does not match, the path is read as without it."""
    settings = Folder(camera="yard", pattern=r"/(?P<camera>[a-z]+)_(?P<event>[a-z]+)_(?P<time>\d{8}-\d{6})")

    found = facts_of_path("ftp1/today/garage_motion_20261128-182331.jpg", settings, Facts())

    assert (found.camera, found.event, found.time) == ("garage", "motion", "20261128-182331")
    assert facts_of_path("ftp1/x.jpg", settings, Facts(event="person")) == Facts(camera="yard", event="person")


def test_name_with_a_number_stands_for_one_picture() -> None:
    """A name that a camera uses again and again has none."""
    assert is_numbered("yi/20261128_182331.jpg")
    assert is_numbered("hiv00012.mp4")
    assert not is_numbered("gate2/snapshot.jpg")


@given(st.text(max_size=300))
def test_any_path_gives_facts(path: str) -> None:
    """Whatever a program calls its files."""
    assert len(facts_of_path(path, Folder(), Facts()).camera) <= 300
