"""The code that proves who owns the machine."""

from __future__ import annotations

from pathlib import Path

from camalert.system import firstlogin


def test_code_is_kept_private_and_stays_until_it_is_withdrawn(tmp_path: Path) -> None:
    """The first screen, the log and the page speak of the same one; each installation has its own."""
    folder, other = tmp_path / "review", tmp_path / "other"

    code = firstlogin.wanted(folder)

    assert firstlogin.code(folder) == firstlogin.wanted(folder) == code
    assert (folder / firstlogin.CODE_FILE).stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0
    assert firstlogin.code(other) != code
    firstlogin.withdraw(folder)
    firstlogin.withdraw(folder)
    assert not firstlogin.fits(code, folder)


def test_code_fits_as_people_type_it(tmp_path: Path) -> None:
    """Capitals, blanks and hyphens do not matter; everything else does, and nothing fits where there is no code."""
    code = firstlogin.code(tmp_path)

    assert firstlogin.fits(code.lower().replace("-", " "), tmp_path)
    for said in ("", "-", code[:-1], code + "A", "\0", "\ud800", "É" * 12):
        assert not firstlogin.fits(said, tmp_path), said
    (tmp_path / firstlogin.CODE_FILE).write_text("\n")
    assert not firstlogin.fits("", tmp_path)


def test_code_is_not_shown_where_there_may_be_a_login(tmp_path: Path) -> None:
    """A site that has its database decides itself whether a first login is wanted."""
    (tmp_path / "site.sqlite3").touch()

    assert firstlogin.wanted(tmp_path) == ""
    code = firstlogin.code(tmp_path)  # as the site does when there is no login in it
    assert firstlogin.wanted(tmp_path) == code


def test_link_in_the_place_of_the_code_is_not_followed(tmp_path: Path) -> None:
    """What somebody else planted is replaced and not written to."""
    target = tmp_path / "target"
    (tmp_path / firstlogin.CODE_FILE).symlink_to(target)

    firstlogin.code(tmp_path)

    assert not target.exists()
    assert not (tmp_path / firstlogin.CODE_FILE).is_symlink()
