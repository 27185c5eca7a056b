"""The configuration as values: one frozen dataclass for each section of `config.toml`.

A key's range, choices, unit and check are declared with its default (`key`); validation, messages and tests read them
from there. Keys that are durations end in `_seconds` or `_days`, in the file and here.
"""

from __future__ import annotations

import ipaddress
import math
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from re import _parser  # type: ignore[attr-defined]  # nothing public tells what a pattern is made of
from typing import Any, TypeAlias

from camalert.config import hours as week
from camalert.config import postgresql, targets
from camalert.config.objects import NAMES, PERSON
from camalert.errors import ConfigError

Point: TypeAlias = tuple[float, float]  # x, y in percent from the picture's upper left
Polygon: TypeAlias = tuple[Point, ...]

PREFIX = "CAMALERT_"  # of the variables that set a key
PRIVATE = "private"
MANY_TIMES = 16  # a repeat of more is a repeat; "(a{1,3}-){2}" takes no time
CORNERS = range(3, 65)  # fewer enclose nothing; more is a mistake and would cost time for each person
PATH_BYTES = 3000  # the kernel takes 4095, and our file names follow
_SITE = re.compile(
    r"https?://(?:[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(?:/[A-Za-z0-9._~-]+)*/?"
)
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")
_TARGET_NAME = re.compile(r"\w[\w .-]{0,39}")
_SERVER = re.compile(r"(?:grpc|http)s?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
PATTERN_CHARS = 200
PATTERN_STARS = 4  # more could take long to match
# A name, or an address in brackets; cameras care about no more.
_HOSTNAME = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:]{1,64}\]")


def check_pattern(text: str) -> None:
    """Accept a regular expression that runs in reasonable time on any mail.

    Raises: ConfigError, also for a repeat of a repeat.
    """
    try:
        re.compile(text, re.IGNORECASE)
        parsed = _parser.parse(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ConfigError(f"not a regular expression: {error}") from error
    if _repeats_a_repeat(parsed):
        raise ConfigError(
            'a repeat inside a repeat, such as "(a+)+", could take forever on some mail; make one of them possessive: '
            '"(a++)+"'
        )


def _repeats_a_repeat(parsed: Any, *, is_repeated: bool = False) -> bool:
    """Tell whether a pattern can split one text in too many ways: a repeat of several lengths within another."""
    for operation, argument in parsed:
        within = is_repeated
        match str(operation):
            case "MAX_REPEAT" | "MIN_REPEAT":
                low, high, inner = argument
                if is_repeated and high > max(low, 1):
                    return True
                parts, within = [inner], is_repeated or high > MANY_TIMES
            case "POSSESSIVE_REPEAT":  # splits a text in one way, whatever is inside
                parts, within = [argument[2]], False
            case "ATOMIC_GROUP":
                parts, within = [argument], False
            case "SUBPATTERN" | "ASSERT" | "ASSERT_NOT":
                parts = [argument[-1]]
            case "BRANCH":
                parts = argument[1]
            case "GROUPREF_EXISTS":
                parts = [part for part in argument[1:] if part]
            case _:
                continue
        if any(_repeats_a_repeat(part, is_repeated=within) for part in parts):
            return True
    return False


def check_hostname(text: str) -> None:
    """Accept a name or an address literal to greet clients with; ConfigError for anything else.

    Source: RFC 5321, section 4.1.2.
    """
    if not _HOSTNAME.fullmatch(text):
        raise ConfigError('write a name such as "camalert" or "cams.home.arpa": letters, digits, dots and hyphens')


def check_host(text: str) -> None:
    """Accept an address or a name to listen on, "" for all addresses; ConfigError for anything else."""
    if not text:
        return
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        if not all(_LABEL.fullmatch(label) for label in text.split(".")):
            raise ConfigError('write an address such as "192.168.1.2" or "::1", or "" for all addresses') from error


def check_address(text: str) -> None:
    """Accept where people find the site, or "" for this machine's address; ConfigError for anything else."""
    if not text:
        return
    found = _SITE.fullmatch(text)
    if found is None or int(found[1] or 1) not in range(1, 65_536):
        raise ConfigError('write it as a browser shows it, such as "https://cams.example.org"')


def check_path(text: str) -> None:
    """Accept a path that means the same to every program; ConfigError for "~", control characters or too many bytes."""
    if not text.strip():
        raise ConfigError("write a path, or leave the key out for the default")
    if text.startswith("~"):
        raise ConfigError('write the whole path, such as "/home/you/…": "~" is not expanded here')
    if not text.isprintable() or len(text.encode("utf-8", "surrogatepass")) > PATH_BYTES:
        raise ConfigError(f"write a path of at most {PATH_BYTES} bytes without control characters")


def check_optional_path(text: str) -> None:
    """Accept a path, or "" for none; ConfigError for anything else."""
    if text:
        check_path(text)


def check_database_url(text: str) -> None:
    """Accept the URL of a PostgreSQL database, or "" for a file; ConfigError for anything else, and for a password."""
    if not text:
        return
    secrets = postgresql.secrets_in(text)
    if "sslpassword" in secrets:
        raise ConfigError("must not have sslpassword: let the key for sslkey be one without a password")
    if secrets or postgresql.has_password(text):
        raise ConfigError("must not have the password: put it into a file, and its name into database.password_file")
    if postgresql.has_wrong_port(text):
        raise ConfigError("has a port that is no number; if it is a password, put that into database.password_file")
    try:
        found = urllib.parse.urlsplit(text)
    except ValueError as error:
        raise ConfigError(f"cannot be read as a URL: {error}") from error
    if found.scheme not in ("postgresql", "postgres") or not text.isprintable():
        raise ConfigError('write a URL such as "postgresql://camalert@database.example.org/camalert"')


def check_node(text: str) -> None:
    """Accept the name of a node, or "" for the machine's; ConfigError for anything else."""
    if text and not _TARGET_NAME.fullmatch(text):
        raise ConfigError('write a short name, such as "north": letters, digits, blanks, dots and hyphens')


def check_target_name(text: str) -> None:
    """Accept the name of a target; ConfigError for anything else."""
    if not _TARGET_NAME.fullmatch(text):
        raise ConfigError('write a short name, such as "phone": letters, digits, blanks, dots and hyphens')


def check_camera_pattern(text: str) -> None:
    """Accept a camera's name, or a pattern with "*" and "?"; ConfigError for anything else."""
    if not text.strip() or len(text) > PATTERN_CHARS or text.count("*") > PATTERN_STARS:
        raise ConfigError('write a camera\'s name, or a pattern such as "garden*"')


def check_server(text: str) -> None:
    """Accept the URL of an inference server; ConfigError for anything else."""
    if not _SERVER.fullmatch(text):
        raise ConfigError("write grpc://host:8001 or http://host:8000 (encrypted: grpcs://, https://), with its port")


def check_model(text: str) -> None:
    """Accept what the names of networks on a server begin with; ConfigError for anything else."""
    if not _LABEL.fullmatch(text):
        raise ConfigError('write a name such as "camalert": letters, digits, hyphens and underscores')


def check_network(text: str) -> None:
    """Accept "private", an address or a network; ConfigError for anything else."""
    if text == PRIVATE:
        return
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f'write "{PRIVATE}" or a network such as "192.168.1.0/24"') from error


def parse_polygon(text: str) -> Polygon:
    """Read corners such as `0,0 40,0 40,25.5 0,30`, in percent of the picture's width and height.

    Percent, because one camera sends several sizes and the detector sees a reduced frame.

    Raises: ConfigError when they are not such pairs, outside 0 to 100, or not 3 to 64 in number.
    """
    corners = tuple(_parse_corner(pair) for pair in text.split())
    if len(corners) not in CORNERS:
        raise ConfigError(f"write {CORNERS.start} to {CORNERS.stop - 1} corners, not {len(corners)}")
    return corners


def _parse_corner(pair: str) -> Point:
    try:
        x, y = (float(number) for number in pair.split(","))
    except ValueError as error:
        raise ConfigError(f"{pair!r} is not a corner; write x,y in percent, such as 40,25.5") from error
    if not all(math.isfinite(value) and 0 <= value <= 100 for value in (x, y)):
        raise ConfigError(f"{pair!r} is outside the picture; write 0 to 100 percent")
    return x, y


def key(  # noqa: PLR0913 - all by name
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    check: Callable[[Any], object] | None = None,
    path: bool = False,
    secret: bool = False,
    alone: bool = False,
) -> Any:
    """Declare a configuration key: its default, and what is allowed, as metadata of the field.

    Args:
        default: An immutable value.
        low: Least value of a number, which always has both bounds.
        high: Greatest value.
        choices: The only texts allowed. For a list this, the bounds and `check` apply to each entry.
        unit: Of the number, for messages.
        check: For what a range cannot say; raises ConfigError with a message for the owner.
        path: A relative value starts at the configuration file's folder.
        secret: Never shown in a message, and known to who uses it alone (`ipc.needs.told`).
        alone: One entry of a list may be written without brackets.
    """
    if path and check is None:
        check = check_path
    metadata = {
        "low": low, "high": high, "choices": choices, "unit": unit,
        "check": check, "path": path, "secret": secret, "alone": alone,
    }  # fmt: skip
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Service:
    """The instance as a whole."""

    profile: str = key("normal", choices=("normal", "small"))  # other defaults: see `profiles`
    run_dir: str = key("var/run", path=True)
    drain_seconds: float = key(20.0, low=1, high=300, unit="s")
    confine: bool = key(True)  # whether each child gives up what it does not need


@dataclass(frozen=True, slots=True)
class Listen:
    """One listening address of the SMTP server."""

    host: str = key("", check=check_host)  # empty: all addresses, IPv4 and IPv6
    port: int = key(1025, low=0, high=65535)
    tls: str = key("none", choices=("none", "starttls", "implicit"))
    allow: tuple[str, ...] = key((), check=check_network)  # (): as smtp.allow
    balancer: tuple[str, ...] = key(
        (), check=check_network, alone=True
    )  # who passes connections on, with PROXY headers


@dataclass(frozen=True, slots=True)
class User:
    """A login for cameras."""

    name: str = key("")
    password: str = key("", secret=True)  # as `camalert hash-password` prints it


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may log in; a login is always offered except with "none", because some cameras send nothing without one."""

    accept: str = key("any", choices=("any", "users", "none"))
    user: tuple[User, ...] = key(())


@dataclass(frozen=True, slots=True)
class Smtp:
    """The SMTP server."""

    hostname: str = key("camalert", check=check_hostname)
    listen: tuple[Listen, ...] = key((Listen(),))
    # "private" or networks such as 192.168.1.0/24
    allow: tuple[str, ...] = key(("private",), check=check_network)
    auth: Auth = Auth()
    max_connections: int = key(100, low=1, high=10_000)
    max_connections_per_address: int = key(50, low=1, high=10_000)
    mails_per_minute: int = key(0, low=0, high=100_000)  # of one address; 0: no limit
    command_line_bytes: int = key(4096, low=512, high=65_536, unit="bytes")
    command_seconds: float = key(60.0, low=1, high=3600, unit="s")
    mail_seconds: float = key(300.0, low=5, high=7200, unit="s")
    certificate: str = key("tls/certificate.pem", path=True)
    private_key: str = key("tls/key.pem", path=True)
    min_tls: str = key("1.2", choices=("1.0", "1.1", "1.2", "1.3"))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that cameras and other programs put pictures into; what is stored is removed from it."""

    enabled: bool = key(False)
    path: str = key("var/incoming", path=True)
    camera: str = key(
        ""
    )  # of pictures in the folder itself and in folders of days; others are named after their camera
    pattern: str = key("", check=check_pattern)  # for a file's path, with groups named camera, event, time
    depth: int = key(8, low=0, high=32)  # of subfolders
    poll_seconds: float = key(1.0, low=0.1, high=3600, unit="s")
    settle_seconds: float = key(2.0, low=0.2, high=3600, unit="s")
    incomplete_seconds: float = key(60.0, low=1, high=86_400, unit="s")


@dataclass(frozen=True, slots=True)
class Intake:
    """Limits of one mail and of all mails being received."""

    max_mail_bytes: int = key(26_214_400, low=65_536, high=268_435_456, unit="bytes")
    transit_bytes: int = key(33_554_432, low=1_048_576, high=1_073_741_824, unit="bytes")
    wait_seconds: float = key(30.0, low=1, high=300, unit="s")
    repeat_window_seconds: float = key(120.0, low=0, high=86_400, unit="s")
    max_pictures: int = key(64, low=1, high=400)  # more would not fit into a mail's record
    max_clock_skew_seconds: float = key(86_400.0, low=0, high=31_536_000, unit="s")
    folder: Folder = Folder()


@dataclass(frozen=True, slots=True)
class Pool:
    """Shared memory that carries pictures between processes."""

    frame_slots: int = key(0, low=0, high=1024)  # 0: detectors + decoders + 2
    frame_max_px: int = key(2_100_000, low=76_800, high=33_200_000, unit="px")
    picture_bytes: int = key(2_097_152, low=65_536, high=67_108_864, unit="bytes")
    intake_slots: int = key(6, low=2, high=256)
    intake_slot_bytes: int = key(2_097_152, low=65_536, high=67_108_864, unit="bytes")
    max_memory_share: float = key(0.25, low=0.01, high=0.9)


@dataclass(frozen=True, slots=True)
class Decode:
    """Decoding of pictures."""

    processes: int = key(0, low=0, high=256)  # 0: half the detectors, at least 1
    max_pixels: int = key(64_000_000, low=76_800, high=134_217_728, unit="px")  # up to `frames.WALL_PX`
    deadline_seconds: float = key(15.0, low=1, high=300, unit="s")
    memory_bytes: int = key(2_147_483_648, low=268_435_456, high=68_719_476_736, unit="bytes")


@dataclass(frozen=True, slots=True)
class Clip:
    """Examination of video clips."""

    pictures: int = key(6, low=1, high=64)


@dataclass(frozen=True, slots=True)
class Remote:
    """The inference servers of `engine = "remote"`, asked in this order until one answers."""

    url: tuple[str, ...] = key((), check=check_server, alone=True)
    model: str = key("camalert", check=check_model)  # what the names of the networks begin with there
    timeout_seconds: float = key(5.0, low=0.1, high=60, unit="s")
    fall_back: bool = key(False)  # true: while none answers, the networks run here


@dataclass(frozen=True, slots=True)
class Detector:
    """Detection of people and other things."""

    engine: str = key("auto", choices=("auto", "openvino", "opencv", "hog", "remote"))
    processes: int = key(0, low=0, high=256)  # 0: cores - 1, at least 1
    threads: int = key(1, low=1, high=64)
    effort: str = key("balanced", choices=("fast", "balanced", "thorough"))
    objects: tuple[str, ...] = key((PERSON,), choices=NAMES)  # what counts
    threshold: float = key(0.0, low=0.0, high=1.0)  # 0: the engine's measured default
    deadline_seconds: float = key(20.0, low=1, high=600, unit="s")
    rest_seconds: float = key(0.0, low=0, high=86_400, unit="s")  # 0: its network stays loaded
    recycle_pictures: int = key(100_000, low=0, high=1_000_000_000)  # 0: never
    recycle_bytes: int = key(1_610_612_736, low=0, high=68_719_476_736, unit="bytes")  # 0: no limit
    jpeg_quality: int = key(88, low=40, high=100)
    remote: Remote = Remote()


@dataclass(frozen=True, slots=True)
class Learn:
    """What is learned of a camera from marks and from its own pictures."""

    marks: bool = key(True)  # whether what was marked "not a person" stops counting in its place
    static_sightings: int = key(8, low=0, high=1000)  # at different moments; 0: what does not move counts
    static_hours: float = key(6.0, low=0.5, high=720)  # from the first of them to the last
    threshold: bool = key(True)  # whether "missed a person" lowers a camera's threshold


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon in a camera's picture; a person whose box has its lower middle inside stands in it."""

    name: str = key("")  # for reasons and drawings only
    rule: str = key("ignore", choices=("ignore", "watch"))
    # "x,y x,y x,y": corners in percent of width and height from the picture's upper left
    points: str = key("", unit="%", check=parse_polygon)


@dataclass(frozen=True, slots=True)
class Match:
    """Patterns that identify a camera's mail; all that are given must match.

    Groups named `camera`, `event` and `time` in subject and body take these out of the mail.
    """

    recipient: str = key("", check=check_pattern)
    sender: str = key("", check=check_pattern)
    login: str = key("", check=check_pattern)
    address: str = key("", check=check_pattern)  # of the client
    subject: str = key("", check=check_pattern)
    body: str = key("", check=check_pattern)


@dataclass(frozen=True, slots=True)
class Camera:
    """What differs for one camera, which its mails name, or `match` identifies."""

    name: str = key("")
    match: Match = Match()
    examine: bool = key(True)  # false: only store its pictures
    threshold: float = key(0.0, low=0.0, high=1.0)  # 0: the detector's
    effort: str = key("", choices=("", "fast", "balanced", "thorough"))  # "": the detector's
    objects: tuple[str, ...] = key((), choices=NAMES)  # (): the detector's
    min_person_height_percent: float = key(0.0, low=0, high=100, unit="%")  # of the picture's height
    max_person_height_percent: float = key(100.0, low=0, high=100, unit="%")
    area: tuple[Area, ...] = key(())
    silent_days: float = key(0.0, low=0, high=3650, unit="days")  # 0: as status.silent_days


@dataclass(frozen=True, slots=True)
class Database:
    """Where rows are stored, and for how long."""

    path: str = key("var/alerts.sqlite3", path=True)
    url: str = key("", check=check_database_url, secret=True)  # a PostgreSQL database instead of the file
    password_file: str = key("", path=True, check=check_optional_path)
    timestamps: str = key("local", choices=("local", "utc"))
    keep_alerts: int = key(0, low=0, high=100_000_000, unit="rows")  # 0: as the original's trigger, else 1000
    keep_detections: int = key(0, low=0, high=100_000_000, unit="rows")
    keep_days: float = key(0.0, low=0, high=36_500, unit="days")  # 0: no limit by age
    keep_bytes: int = key(0, low=0, high=1 << 50, unit="bytes")  # 0: only the next limit
    keep_disk_percent: float = key(50.0, low=0, high=95, unit="%")  # of the disk's free space; 0: no limit
    busy_seconds: float = key(10.0, low=0.1, high=60, unit="s")
    journal: str = key("wal", choices=("wal", "delete"))
    replace_corrupt: bool = key(False)  # true: set a damaged database aside and start a new one


@dataclass(frozen=True, slots=True)
class Node:
    """One machine of several that share one PostgreSQL database."""

    name: str = key("", check=check_node)  # "": the machine's


@dataclass(frozen=True, slots=True)
class Visits:
    """What is one visit."""

    gap_seconds: float = key(90.0, low=1, high=86_400, unit="s")
    longest_seconds: float = key(3600.0, low=60, high=604_800, unit="s")  # who stays longer comes again


@dataclass(frozen=True, slots=True)
class Log:
    """The log."""

    level: str = key("info", choices=("debug", "info", "warning", "error"))
    format: str = key("auto", choices=("auto", "text", "json"))


@dataclass(frozen=True, slots=True)
class Status:
    """What the status reports."""

    silent_days: float = key(3.0, low=0, high=3650, unit="days")  # 0: never reported


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures for Prometheus."""

    enabled: bool = key(False)
    host: str = key("127.0.0.1", check=check_host)
    port: int = key(9465, low=0, high=65535)


@dataclass(frozen=True, slots=True)
class Review:
    """The review site."""

    enabled: bool = key(True)
    host: str = key("", check=check_host)  # empty: all addresses, IPv4 and IPv6
    port: int = key(8025, low=0, high=65535)
    path: str = key("")  # such as "/camalert", behind a web server that serves other things too
    allow: tuple[str, ...] = key(("private",), check=check_network)  # "private" or networks, as in smtp.allow
    hosts: tuple[str, ...] = key(())  # names of this site besides local ones and private addresses
    # whose X-Forwarded-* headers are trusted; see review.visitors
    proxies: tuple[str, ...] = key((), check=check_network)
    ingress: tuple[str, ...] = key((), check=check_network)  # gateways of Home Assistant; see review.visitors
    address: str = key("", check=check_address)  # where people find it; "": this machine's address
    data_dir: str = key("var/review", path=True)
    session_days: float = key(30.0, low=0.01, high=400, unit="days")
    thumbnails: int = key(20_000, low=0, high=10_000_000, unit="rows")  # 0: none, and no process that makes them
    nightly_copies: int = key(1, low=0, high=365)  # of database and site settings; 0: none are made at night
    admin: bool = key(False)  # Django's pages for the two tables, /admin/


@dataclass(frozen=True, slots=True)
class Notify:
    """A target: where messages go, about what, and when."""

    name: str = key("", check=check_target_name)
    # an Apprise URL; mqtt[s]://, webhook+http[s]://, smtp[s]://: channels of our own
    url: str = key("", check=targets.check_url, secret=True)
    url_file: str = key("", path=True, check=check_optional_path)  # a file with the URL
    events: tuple[str, ...] = key(("visit",), choices=targets.EVENTS)
    cameras: tuple[str, ...] = key((), check=check_camera_pattern)  # (): all
    away_cameras: tuple[str, ...] = key((), check=check_camera_pattern)  # told of only while nobody is home
    min_score: float = key(0.0, low=0, high=1)  # apart from the detector's threshold
    cooldown_seconds: float = key(0.0, low=0, high=86_400, unit="s")
    digest_at: str = key("20:00, home", check=week.parse_times)  # of the event "digest"
    hours: str = key("", check=week.parse)  # "": always
    picture: bool = key(True)
    links: tuple[str, ...] = key(("open", "snooze"), choices=targets.LINKS)
    priority: str = key("normal", check=week.parse_priority)
    give_up_hours: float = key(24.0, low=0.1, high=720, unit="h")
    secret: str = key("", check=targets.signing_keys, secret=True)  # of a webhook
    secret_file: str = key("", path=True, check=check_optional_path)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole configuration; every path is absolute once `sources.load` has read it."""

    service: Service = Service()
    smtp: Smtp = Smtp()
    intake: Intake = Intake()
    pool: Pool = Pool()
    decode: Decode = Decode()
    clip: Clip = Clip()
    detector: Detector = Detector()
    learn: Learn = Learn()
    camera: tuple[Camera, ...] = ()
    database: Database = Database()
    node: Node = Node()
    visits: Visits = Visits()
    log: Log = Log()
    status: Status = Status()
    metrics: Metrics = Metrics()
    review: Review = Review()
    notify: tuple[Notify, ...] = ()
