"""Which camera a mail is of."""

from __future__ import annotations

import pytest

from camalert.config import schema as config
from camalert.config.checks import contradictions
from camalert.detection.rules import camera_of
from camalert.identity import ESTABLISHED_MAILS, MOST_WORDS, Envelope, Names, key, place_of, word_of, words_of

HOUSE = "192.168.1.11"


def mail(recipient: str = "", sender: str = "", login: str = "", peer: str = HOUSE) -> Envelope:
    """Make an envelope."""
    return Envelope(peer=peer, login=login, sender=sender, recipients=(recipient,) if recipient else ())


def test_renamed_camera_has_its_new_name_whatever_named_it() -> None:
    """By words, by recipient, by address; a recorder's other channels keep theirs, and so do configured names."""
    names = Names(["Gate"])
    renamed = {"ipc 3": "Garage", "shed": "Barn", HOUSE: "House", "gate": "Yard"}
    names.learn_renamed(renamed.items(), is_first=True)

    assert names.identify(" IPC  3", mail("shed@x")) == "Garage"
    assert names.identify("", mail("shed@x")) == "Garage", "that word is this camera's at this address"
    assert names.identify("", mail("SHED@x", peer="10.0.0.9")) == "10.0.0.9"
    assert names.identify("", mail("alarm@x")) == "House"
    assert names.identify("", mail("alarm@x"), "2") == f"{HOUSE} channel 2"
    assert names.identify("gate", mail()) == "Gate"
    names.learn_renamed([("b", "B 2")], is_first=False)
    assert names.spell("IPC 3") == "Garage"
    names.learn_renamed([], is_first=True)
    assert names.spell("IPC 3") == "IPC 3"


@pytest.mark.parametrize(
    ("named", "envelope", "camera"),
    [
        ("Garage", mail("yard@home.lan", "yard@home.lan", "yard"), "Garage"),
        ("  Back   door ", mail(), "Back door"),
        ("", mail("shed@home.lan", "shed@home.lan", "shed"), "shed"),
        ("", mail("garage@home.lan", "alarm@home.lan", "admin"), "garage"),
        ("", mail("anybody@home.lan", "<Front-Door@home.local>"), "Front-Door"),
        ("", mail("me@home.lan", "noreply@cam.local", "porch"), "porch"),
        ("", mail("anna@home.lan", "garage@home.lan", "garage"), "garage"),
        ("", mail("My+Camera@home.lan"), "My Camera"),
        ("", mail("alarm@x", "admin@x", "camera"), HOUSE),
        ("", mail("no-reply@x", "Do.Not.Reply@x"), HOUSE),
        ("", mail("", "", ""), HOUSE),
        ("", mail("@", "<>", "---"), HOUSE),
    ],
)
def test_identify_takes_the_first_that_says_something(named: str, envelope: Envelope, camera: str) -> None:
    """Words, then recipient, sender, login; what everybody writes there names nobody; last comes the address."""
    assert Names(()).identify(named, envelope) == camera


def test_identify_cameras_without_a_name_are_told_apart_by_their_channel() -> None:
    """Names from the factory: which channel it is stands beside what names the recorder."""
    names = Names(())

    assert names.identify("", mail("barn@home.lan"), "2") == "barn 2"
    assert names.identify("", mail("barn@home.lan"), "") == "barn"
    assert names.identify("", mail("alarm@home.lan"), "A2") == f"{HOUSE} channel A2"
    assert names.identify("Yard", mail("barn@home.lan"), "2") == "Yard"


def test_identify_names_are_the_same_however_they_are_written() -> None:
    """The configuration's spelling wins, else the first one; capitals and blanks make no second camera."""
    names = Names(["Garage"])

    assert [names.identify(name, mail()) for name in ("garage", " GARAGE ", "Yard", "yard", "YARD ")] == [
        "Garage", "Garage", "Yard", "Yard", "Yard",
    ]  # fmt: skip
    assert names.identify("", mail("garage@home.lan")) == "Garage"


def test_identify_word_that_several_names_share_is_nobodys() -> None:
    """A recipient that two named cameras write to does not name a third one."""
    names = Names(())
    names.identify("Garage", mail("anna@home.lan"))
    names.identify("Yard", mail("anna@home.lan", peer="192.168.1.12"))

    assert names.identify("", mail("anna@home.lan", peer="192.168.1.13")) == "192.168.1.13"


def test_identify_recipient_of_two_senders_names_neither() -> None:
    """The owner's own address behind several cameras gives way to what tells them apart."""
    names = Names(())
    names.identify("", mail("anna@home.lan", "garage@home.lan"))

    assert names.identify("", mail("anna@home.lan", "yard@home.lan", peer="192.168.1.12")) == "yard"
    assert names.identify("", mail("anna@home.lan", "garage@home.lan")) == "garage"


def test_identify_word_that_addresses_use_in_turn_is_nobodys() -> None:
    """Two cameras with the same words are two addresses; one camera that moved stays what it was."""
    names, moved = Names(()), Names(())
    same = [names.identify("", mail("anna@x", "anna@x", peer=peer)) for peer in ("a", "b", "a", "b")]
    found = [moved.identify("", mail("shed@x", peer=peer)) for peer in ("a", "a", "b", "b")]

    assert same[2:] == ["a", "b"]
    assert found == ["shed"] * 4


def test_identify_test_mail_is_of_the_camera_whose_alarms_name_it() -> None:
    """A mail that says nothing but comes with the words and from the address of a named camera is that camera's."""
    names = Names(())
    names.identify("Garage", mail("", "cam12@home.lan"))

    assert names.identify("", mail("", "cam12@home.lan")) == "Garage"


def test_identify_invented_words_stay_within_memory_and_spare_the_configured() -> None:
    """A stranger may invent any number of names."""
    names = Names(["Garage"])
    for number in range(3 * MOST_WORDS):
        names.identify(f"n{number}" if number % 2 else "", mail(f"w{number}@x"))

    assert len(names._spellings) <= MOST_WORDS
    assert len(names._uses) <= MOST_WORDS
    assert names.identify("GARAGE", mail()) == "Garage"


def test_words_of_one_that_stands_twice_comes_first() -> None:
    """What sender and login agree on is meant; the order is kept else, and nothing stands twice."""
    assert words_of(mail("anna@x", "Shed@x", "shed")) == ("Shed", "anna")
    assert words_of(mail("a1@x", "b1@x", "c1")) == ("a1", "b1", "c1")
    assert word_of("x" * 300 + "@home.lan") == ""


def test_settings_hold_for_a_name_however_it_is_written() -> None:
    """A camera's block is found by capitals and blanks of any kind, and two blocks of one name are refused."""
    garage = config.Camera(name=" Garage", threshold=0.7)
    settings = config.Config(camera=(garage, config.Camera(name="GARAGE ")))

    assert camera_of(settings, "garage").threshold == 0.7
    assert [where for where, _ in contradictions(settings)] == ["camera[1].name"]
    assert key(" STRASSE ") == key("straße")


def test_identify_shared_words_outlive_a_restart() -> None:
    """The first mail after a restart is of no new camera: what was shared is taken over."""
    before, after = Names(()), Names(())
    for sender, peer in (("garage@x", "a"), ("yard@x", "b")):
        before.identify("", mail("anna@x", sender, peer=peer))

    after.learn_shared(before.shared())

    assert before.shared() == ["anna"]
    assert after.identify("", mail("anna@x", "noreply@x", peer="c")) == "c"


@pytest.mark.parametrize("stranger", ["named", "unnamed", "many words"])
def test_identify_stranger_does_not_rename_a_camera(stranger: str) -> None:
    """A camera that twenty mails were of keeps its name, whoever else writes its word into his mails."""
    names, shed = Names(()), mail("shed@x", "shed@x")
    for _ in range(ESTABLISHED_MAILS):
        names.identify("", shed)

    for turn in range(3):
        match stranger:
            case "named":
                names.identify(f"X{turn}", mail("shed@x", "shed@x", peer="10.0.0.66"))
            case "unnamed":
                names.identify("", mail("shed@x", "shed@x", peer=f"10.0.0.{66 + turn % 2}"))
            case _:
                for number in range(MOST_WORDS):
                    names.identify("", mail(f"w{turn}-{number}@x", peer="10.0.0.66"))
                names.identify("X", mail("shed@x", peer="10.0.0.66"))
        assert names.identify("", shed) == "shed"
    assert "shed" not in names.shared()


@pytest.mark.parametrize(
    ("camera", "envelope", "place"),
    [
        ("shed", mail("shed@x", "me@x"), "the recipient shed@x"),
        ("shed 2", mail("me@x", "shed@x"), "the sender shed@x"),
        ("porch", mail("me@x", "alarm@x", "Porch"), "the login Porch"),
        (HOUSE, mail("alarm@x"), "the address of its client"),
    ],
)
def test_place_of_a_name_in_the_envelope_is_said(camera: str, envelope: Envelope, place: str) -> None:
    """An owner sees which field of the camera's menu named it."""
    assert place_of(camera, envelope) == place
