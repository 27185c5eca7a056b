"""The layers of ARCHITECTURE.md, read from the imports of every module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "camalert"

# Modules and packages that decide and never act, by package: no process, socket, file, clock, chance or log.
PURE = {
    "": ("errors", "identity", "ratelimit"),
    "config": ("build", "checks", "hours", "postgresql", "schema", "settings_file", "targets", "toml_lines"),
    "system": ("logline",),
    "ipc": ("layout", "messages", "records"),
    "status": ("exposition", "text", "tracker"),
    "decoding": ("headers", "kinds"),
    "intake": (
        "folder.paths", "folder.rules", "mail", "smtp.diagnosis", "smtp.framing", "smtp.limits", "smtp.replies",
        "smtp.syntax",
    ),
    "detection": ("boxes", "choice", "council", "known", "looks", "passes", "people", "rules", "thresholds"),
    "notify": ("turns",),
    "visits": ("digest", "grouping", "policy"),
    "store": (
        "interface", "postgresql.dialect", "postgresql.tables", "queue", "rows.columns", "rows.tables", "sqlite.tables",
        "verdict",
    ),
    "supervisor": ("dispatch", "lifecycle", "liveness", "plan", "stages"),
    "review": ("figures", "glance", "preview", "search", "selection"),
    "cli": ("alarmmail", "anonymiser", "commands", "fillers", "pseudonyms"),
}  # fmt: skip
# The way of an alarm, from what all build on to what builds on all: a package imports only from those before it. What
# is directly in camalert/ comes first, but for __main__, which may import anything.
ORDER = (
    "config", "system", "ipc", "status", "decoding", "intake", "detection", "visits", "store", "notify", "supervisor",
    "review", "cli",
)  # fmt: skip
# Processes, sockets, clocks, files, chance and logs; and the libraries of the other processes. (`signal` is not among
# them: its numbers are values.)
EFFECTS = frozenset(
    {
        "aiosmtpd", "asyncio", "camalert.system.logs", "ctypes", "cv2", "fcntl", "getpass", "glob", "http", "imutils",
        "logging", "mmap",
        "multiprocessing", "openvino", "os", "random", "secrets", "select", "selectors", "shutil", "smtplib",
        "socket", "sqlite3", "ssl", "structlog", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request",
    }
)  # fmt: skip
# What a module may import all the same, for names only.
ALLOWED = {
    "camalert.intake.smtp.diagnosis": {"ssl"},
}  # exceptions put into words
NOW_CALLS = frozenset({"now", "utcnow", "today"})
# The supervisor must survive what these do, so they stay in its children.
NOT_IN_SUPERVISOR = frozenset({"cv2", "numpy", "aiosmtpd", "psycopg", "sqlite3", "imutils", "openvino", "django"})
# A killed child can hold their locks for ever, or lose what they buffer.
FORBIDDEN_MULTIPROCESSING = frozenset(
    {"Queue", "SimpleQueue", "JoinableQueue", "Lock", "RLock", "Event", "Condition", "Semaphore", "Manager", "Pool"}
)
NAMES_THAT_SAY_NOTHING = frozenset({"utils", "util", "helpers", "helper", "common", "manager", "misc"})


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def _imports(module: str) -> frozenset[str]:
    """Return the modules that a module imports, also inside functions, but not for type checking only."""
    return frozenset(_imported(_tree(module).body))


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                # `from package import module` imports the module too.
                yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") in MODULES)


def _with_packages(module: str) -> Iterator[str]:
    """Yield a module of ours and the packages above it, whose `__init__` runs first."""
    parts = module.split(".")
    yield from (name for n in range(1, len(parts) + 1) if (name := ".".join(parts[:n])) in MODULES)


def _reached(start: str) -> dict[str, str]:
    """Return every module of ours that an import of `start` loads, and who asked for it."""
    found: dict[str, str] = dict.fromkeys(_with_packages(start), start)
    queue = list(found)
    while queue:
        module = queue.pop()
        for imported in _imports(module):
            for name in _with_packages(imported):
                if name not in found:
                    found[name] = module
                    queue.append(name)
    return found


def _effects(module: str) -> Iterator[str]:
    for imported in _imports(module) - ALLOWED.get(module, set()):
        if imported in EFFECTS or imported.split(".")[0] in EFFECTS:
            yield f"imports {imported}"
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module == "pathlib":
            yield from (f"imports pathlib.{alias.name}" for alias in node.names if not alias.name.startswith("Pure"))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input"):
                yield f"calls {node.func.id} in line {node.lineno}"
            if isinstance(node.func, ast.Attribute) and node.func.attr in NOW_CALLS:
                yield f"asks for the time in line {node.lineno}"


def _rank(module: str) -> int:
    """Return a module's place in `ORDER`, -1 for what is directly in camalert/."""
    package = module.split(".")[1:2]
    return ORDER.index(package[0]) if package and package[0] in ORDER else -1


@pytest.mark.parametrize("module", [module for module in MODULES if module != "camalert.__main__"])
def test_module_imports_nothing_from_a_later_package(module: str) -> None:
    """Dependencies between packages point one way; so the service works without the review site, an extra."""
    later = [name for name in _imports(module) if name in MODULES and _rank(name) > _rank(module)]

    assert later == []


def test_every_package_has_its_place_in_the_order() -> None:
    """A new package is put into the order."""
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(ORDER)


@pytest.mark.parametrize(
    "pure", [".".join(("camalert", package, name)).replace("..", ".") for package in PURE for name in PURE[package]]
)
def test_pure_module_has_no_effects(pure: str) -> None:
    """What decides takes `now` and what else it needs as arguments."""
    modules = [module for module in MODULES if module == pure or module.startswith(f"{pure}.")]

    assert modules, f"{pure} is no module any more: correct PURE"
    assert {module: found for module in modules if (found := list(_effects(module)))} == {}


@pytest.mark.parametrize(
    "entry", ["camalert.supervisor.start", "camalert.supervisor.loop", "camalert.__main__", "camalert.cli.run"]
)
def test_supervisor_side_never_loads_the_childrens_libraries(entry: str) -> None:
    """Whatever the supervisor imports, it never gets near pixels, the database or the mail library."""
    found = [
        f"{module} (asked for by {asked}) imports {imported}"
        for module, asked in _reached(entry).items()
        for imported in _imports(module)
        if imported.split(".")[0] in NOT_IN_SUPERVISOR
    ]

    assert found == []


# The layers within the store, from the bottom: each package may import those before it, and the values.
STORE_VALUES = ("filesystem", "interface", "queue", "verdict")
STORE_LAYERS = {"rows": ("rows",), "sqlite": ("rows", "sqlite"), "postgresql": ("rows", "postgresql")}


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        (module, allowed)
        for package, allowed in STORE_LAYERS.items()
        for module in MODULES
        if module.startswith(f"camalert.store.{package}")
    ],
)
def test_layers_of_the_store_point_one_way(module: str, allowed: tuple[str, ...]) -> None:
    """The rules know no engine; an engine is called by the writer and the commands, and never the other way round."""
    prefixes = tuple(f"camalert.store.{name}" for name in (*STORE_VALUES, *allowed))
    found = {name for name in _imports(module) if name.startswith("camalert.store.")}

    assert {name for name in found if not name.startswith(prefixes)} == set()
    assert module.startswith("camalert.store.sqlite") or "sqlite3" not in _imports(module)


@pytest.mark.parametrize("name", ["batch", "health", "loader", "notes", "process", "telling", "upkeep"])
def test_writer_knows_a_store_by_its_contract_alone(name: str) -> None:
    """It says what is written; which engine keeps it is chosen in one place."""
    found = _imports(f"camalert.store.{name}")

    assert {one for one in found if one.startswith(("camalert.store.sqlite", "sqlite3", "psycopg"))} == set()


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_the_house_rules(module: str) -> None:
    """Every module says what it is for, has a name that says something, and leaves dangerous tools alone."""
    assert ast.get_docstring(_tree(module)), f"{module} has no docstring"
    assert MODULES[module].stem not in NAMES_THAT_SAY_NOTHING
    assert not _imports(module) & {"pickle", "marshal", "shelve"}, "nothing is ever unpickled"
    assert "structlog" not in _imports(module) or module == "camalert.system.logs", "the log is camalert.system.logs"


@pytest.mark.parametrize(
    "module", [module for module in MODULES if any(name.startswith("multiprocessing") for name in _imports(module))]
)
def test_multiprocessing_is_spawn_without_locks(module: str) -> None:
    """Children are spawned, and no lock or queue of multiprocessing is shared with one that may be killed."""
    named = {node.attr for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute)} | {
        alias.name for node in ast.walk(_tree(module)) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    contexts = [
        node.args[0].value
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Call)
        and "get_context" in ast.dump(node.func)
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]

    assert not named & FORBIDDEN_MULTIPROCESSING
    assert set(contexts) <= {"spawn"}
