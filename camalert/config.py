"""The configuration as values: one frozen dataclass a section of `config.toml`.

Pure: reading the file and the environment is `configfile`'s work. What is said of each key (unit, range, choices) is
what the validation and its messages are made from, see `configkey`. A key named in words of time ends in `_seconds` in
the file and here.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.camera import Area, Camera, Match
from camalert.configkey import key
from camalert.patterns import check_hostname, check_network

# Every section is to be had here, a camera's as well.
__all__ = [
    "Area", "Auth", "Camera", "Clip", "Config", "Database", "Decode", "Detector", "Folder", "Intake", "Listen", "Log",
    "Match", "Metrics", "Pool", "Review", "Service", "Smtp", "Status", "User",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Service:
    """What concerns the supervisor and all processes."""

    name: str = key("camalert")
    run_dir: str = key("var/run", path=True)
    drain_seconds: float = key(20.0, low=1, high=300, unit="s")


@dataclass(frozen=True, slots=True)
class Listen:
    """One listening address of the SMTP server."""

    host: str = key("")  # empty: all addresses, IPv4 and IPv6
    port: int = key(1025, low=0, high=65535)
    tls: str = key("none", choices=("none", "starttls", "implicit"))
    allow: tuple[str, ...] = key((), check=check_network)  # (): as smtp.allow


@dataclass(frozen=True, slots=True)
class User:
    """A login that cameras may use."""

    name: str = key("")
    password: str = key("", secret=True)  # as `camalert hash-password` prints it


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may log in; a login is offered in any case but "none", because some cameras send nothing without one."""

    accept: str = key("any", choices=("any", "users", "none"))
    user: tuple[User, ...] = key(())


@dataclass(frozen=True, slots=True)
class Smtp:
    """How cameras are spoken to."""

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
    certificate: str = key("var/tls/certificate.pem", path=True)
    private_key: str = key("var/tls/key.pem", path=True)
    min_tls: str = key("1.2", choices=("1.0", "1.1", "1.2", "1.3"))


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that cameras upload into and other programs drop pictures in; what is stored is removed from it."""

    enabled: bool = key(False)
    path: str = key("var/incoming", path=True)
    camera: str = key("")  # whose pictures lie in the folder itself; a sub-folder's are of the camera of its name
    depth: int = key(8, low=0, high=32)  # of sub-folders
    poll_seconds: float = key(1.0, low=0.1, high=3600, unit="s")
    settle_seconds: float = key(2.0, low=0.2, high=3600, unit="s")
    incomplete_seconds: float = key(60.0, low=1, high=86_400, unit="s")


@dataclass(frozen=True, slots=True)
class Intake:
    """Limits of one mail and of all mails in transit."""

    max_mail_bytes: int = key(26_214_400, low=65_536, high=268_435_456, unit="bytes")
    transit_bytes: int = key(33_554_432, low=1_048_576, high=1_073_741_824, unit="bytes")
    wait_seconds: float = key(30.0, low=1, high=300, unit="s")
    repeat_window_seconds: float = key(120.0, low=0, high=86_400, unit="s")
    max_pictures: int = key(64, low=1, high=1000)
    max_clock_skew_seconds: float = key(86_400.0, low=0, high=31_536_000, unit="s")
    folder: Folder = Folder()


@dataclass(frozen=True, slots=True)
class Pool:
    """The shared memory that carries pictures between processes."""

    frame_slots: int = key(0, low=0, high=1024)  # 0: detectors + decoders + 2
    frame_max_px: int = key(2_100_000, low=76_800, high=33_200_000, unit="px")
    picture_bytes: int = key(2_097_152, low=65_536, high=67_108_864, unit="bytes")
    intake_slots: int = key(6, low=2, high=256)
    intake_slot_bytes: int = key(2_097_152, low=65_536, high=67_108_864, unit="bytes")
    max_memory_share: float = key(0.25, low=0.01, high=0.9)


@dataclass(frozen=True, slots=True)
class Decode:
    """How pictures become frames."""

    processes: int = key(0, low=0, high=256)  # 0: half the detectors, at least 1
    max_pixels: int = key(64_000_000, low=76_800, high=134_217_728, unit="px")  # the top is `frames.WALL_PX`
    deadline_seconds: float = key(15.0, low=1, high=300, unit="s")
    memory_bytes: int = key(2_147_483_648, low=268_435_456, high=68_719_476_736, unit="bytes")


@dataclass(frozen=True, slots=True)
class Clip:
    """How video clips are looked at."""

    pictures: int = key(6, low=1, high=64)


@dataclass(frozen=True, slots=True)
class Detector:
    """How people are looked for."""

    engine: str = key("auto", choices=("auto", "openvino", "opencv", "hog"))
    processes: int = key(0, low=0, high=256)  # 0: cores - 1, at least 1
    threads: int = key(1, low=1, high=64)
    effort: str = key("balanced", choices=("fast", "balanced", "thorough"))
    threshold: float = key(0.0, low=0.0, high=1.0)  # 0: the engine's measured default
    deadline_seconds: float = key(20.0, low=1, high=600, unit="s")
    recycle_pictures: int = key(100_000, low=0, high=1_000_000_000)  # 0: never
    recycle_bytes: int = key(1_610_612_736, low=0, high=68_719_476_736, unit="bytes")  # 0: no limit
    jpeg_quality: int = key(88, low=40, high=100)


@dataclass(frozen=True, slots=True)
class Database:
    """Where rows go and how long they stay."""

    path: str = key("var/alerts.sqlite3", path=True)
    timestamps: str = key("local", choices=("local", "utc"))
    keep_alerts: int = key(0, low=0, high=100_000_000, unit="rows")  # 0: as the original's trigger said, else 1000
    keep_detections: int = key(0, low=0, high=100_000_000, unit="rows")
    keep_days: float = key(0.0, low=0, high=36_500, unit="days")  # 0: no limit by age
    keep_bytes: int = key(0, low=0, high=1 << 50, unit="bytes")  # 0: no limit by size
    busy_seconds: float = key(10.0, low=0.1, high=60, unit="s")
    journal: str = key("wal", choices=("wal", "delete"))
    replace_corrupt: bool = key(False)  # true: set a damaged database aside and begin a new one


@dataclass(frozen=True, slots=True)
class Log:
    """What is written to the log, and how."""

    level: str = key("info", choices=("debug", "info", "warning", "error"))
    format: str = key("auto", choices=("auto", "text", "json"))


@dataclass(frozen=True, slots=True)
class Status:
    """What the status watches over."""

    silent_days: float = key(3.0, low=0, high=3650, unit="days")  # 0: never told


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures for Prometheus, served by a process of their own."""

    enabled: bool = key(False)
    host: str = key("127.0.0.1")
    port: int = key(9465, low=0, high=65535)


@dataclass(frozen=True, slots=True)
class Review:
    """The review site: where pictures are looked at."""

    enabled: bool = key(True)
    host: str = key("")  # empty: all addresses, IPv4 and IPv6
    port: int = key(8025, low=0, high=65535)
    path: str = key("")  # such as "/camalert" behind a web server that serves other things too
    allow: tuple[str, ...] = key(("private",))  # "private" or networks, as in smtp.allow
    hosts: tuple[str, ...] = key(())  # names of this site besides local ones and private addresses
    proxies: tuple[str, ...] = key(("127.0.0.0/8", "::1/128"))  # whose X-Forwarded-* headers are believed
    data_dir: str = key("var/review", path=True)
    session_days: float = key(30.0, low=0.01, high=400, unit="days")
    thumbnails: int = key(20_000, low=100, high=10_000_000, unit="rows")


@dataclass(frozen=True, slots=True)
class Config:
    """Hold the whole configuration; every path is absolute once `configfile` has read it."""

    service: Service = Service()
    smtp: Smtp = Smtp()
    intake: Intake = Intake()
    pool: Pool = Pool()
    decode: Decode = Decode()
    clip: Clip = Clip()
    detector: Detector = Detector()
    camera: tuple[Camera, ...] = ()
    database: Database = Database()
    log: Log = Log()
    status: Status = Status()
    metrics: Metrics = Metrics()
    review: Review = Review()
