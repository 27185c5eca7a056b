"""The engines, loaded by name: the council over OpenVINO or on servers, PicoDet alone over `cv2.dnn`, and HOG."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import cv2
import numpy as np

from camalert.config.schema import Detector
from camalert.decoding import frames
from camalert.decoding.frames import Frame
from camalert.detection import boxes, council, others, passes, picodet, remote, ssd, weights
from camalert.detection.looks import Floats, Look, Seen, Size, View
from camalert.detection.openvino_cpu import Compiler
from camalert.detection.people import Engine, Person
from camalert.errors import ConfigError, EngineError, EngineUnavailable
from camalert.system.logs import log


class Picodet:
    """One network, looking several times: `cv2.dnn` runs PicoDet and not the council's other network."""

    def __init__(self, name: str, network: picodet.Network) -> None:
        self.name = name
        self.precision = ""
        self.run_pass = functools.partial(picodet.run_pass, network)

    def model(self, effort: str) -> str:
        """Return the name of its network."""
        del effort
        return picodet.NAME

    def warm_up(self, effort: str) -> None:
        """Run an empty frame of each input size of an effort, so that no alarm waits for the network to be compiled."""
        for height, width in passes.input_sizes(passes.PLANS[effort]):
            self.run_pass(np.zeros((height, width, frames.CHANNELS), np.uint8), View(height, width))

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        """Return what is found: `warm_up` has prepared everything."""
        return self.find(frame, effort)

    def complete(self, effort: str) -> None:
        """Do nothing: `warm_up` has prepared everything."""

    def find(self, frame: Frame, effort: str) -> list[Person]:
        """Return what is found, best first, the uncertain included."""
        return _people(passes.judged(self.run_pass, frame, passes.PLANS[effort]), frame)


class _Looking:
    """Ask PicoDet and the SSD, wherever they run: the council; `thorough` is PicoDet alone, which sees further."""

    def __init__(self, run_picodet: Look, run_ssd: Look) -> None:
        self.run_pass = run_picodet
        self._looks = council.Looks(run_picodet, run_ssd)

    def model(self, effort: str) -> str:
        """Return the names of the networks that an effort may ask."""
        return f"{picodet.NAME} + {ssd.NAME}" if asks_ssd(effort) else picodet.NAME

    def find(self, frame: Frame, effort: str) -> list[Person]:
        """Return what is found, best first, the uncertain included."""
        if effort in council.EFFORTS:
            found = council.examine(self._looks, frame, council.EFFORTS[effort])
        else:
            found = passes.judged(self.run_pass, frame, passes.PLANS[effort])
        return _people(found, frame)

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        """Return what PicoDet finds in one look."""
        if effort in council.EFFORTS:
            whole = council.EFFORTS[effort]
            found = council.examine(self._looks, frame, dataclasses.replace(whole, stages=whole.stages[:1]))
        else:
            found = passes.judged(self.run_pass, frame, dataclasses.replace(passes.PLANS[effort], uncertain=None))
        return _people(found, frame)


class Council(_Looking):
    """The council, by OpenVINO.

    Of an effort only the first look is compiled at once, since it alone decides three pictures in five; the others
    are by `complete`, or when a picture first needs them.

    Args:
        efforts: What will be asked for; the files of their networks are read now and none later.
        with_others: Whether anything but people is looked for; else that part of the network is cut off.
    """

    name = "openvino"

    def __init__(self, detector: Detector, efforts: Collection[str], *, with_others: bool) -> None:
        compiler = Compiler(detector.threads)
        self._outputs = _outputs(with_others=with_others)
        usual = sizes_of(detector.effort)[0]
        self._picodet = _Sized(compiler, compiler.read(weights.read(picodet.FILE), outputs=self._outputs))
        self.precision = compiler.choose_precision(self._picodet.network(usual)).message
        self._picodet.request(usual)
        self._ssd = _Late(compiler, lambda: compiler.read(weights.read(ssd.STRUCTURE), weights.read(ssd.WEIGHTS)))
        if any(asks_ssd(effort) for effort in efforts):
            self._ssd.read()
        super().__init__(
            functools.partial(picodet.run_pass, self._run_picodet), functools.partial(ssd.run_pass, self._run_ssd)
        )

    def complete(self, effort: str) -> None:
        """Compile what an effort may need beyond its first look."""
        if asks_ssd(effort):
            self._ssd.request()
        for size in sizes_of(effort):
            self._picodet.request(size)

    def _run_picodet(self, blob: Floats) -> picodet.Outputs:
        request = self._picodet.request((blob.shape[2], blob.shape[3]))
        request.infer({"image": blob}, share_inputs=True)
        return picodet.Outputs(*(request.get_tensor(name).data for name in self._outputs))

    def _run_ssd(self, blob: Floats) -> tuple[Floats, Floats]:
        request = self._ssd.request()
        request.infer({0: blob}, share_inputs=True)
        return request.get_output_tensor(0).data, request.get_output_tensor(1).data


class Elsewhere(_Looking):
    """The networks on inference servers, and where the owner wants it here while no server answers.

    Args:
        ask: Asks the servers.
        stand_in: Loads what examines here meanwhile, None when pictures wait instead.
    """

    precision = ""

    def __init__(self, ask: remote.Networks, stand_in: Callable[[], Engine] | None, now: Callable[[], float]) -> None:
        super().__init__(ask.picodet, ask.ssd)
        self._load, self._now = stand_in, now
        self._here: Engine | None = None
        self._ask_at = -math.inf

    @property
    def name(self) -> str:
        """Return who examined the last picture."""
        return "remote" if self._here is None or self._ask_at == -math.inf else self._here.name

    def complete(self, effort: str) -> None:
        """Do nothing: servers are prepared by whoever runs them."""

    def find(self, frame: Frame, effort: str) -> list[Person]:
        """Return what is found, best first, the uncertain included.

        Raises: EngineUnavailable when no server answers and nothing stands in.
        """
        if self._load is None:
            return super().find(frame, effort)
        if self._now() >= self._ask_at:
            try:
                found = super().find(frame, effort)
            except EngineUnavailable as error:
                if self._ask_at == -math.inf:
                    log.warning("inference_unavailable", message=f"{error}; pictures are examined here meanwhile")
                self._ask_at = self._now() + remote.RETRY_S
            else:
                if self._ask_at != -math.inf:
                    log.info("inference_available")
                self._ask_at = -math.inf
                return found
        self._here = self._here or self._load()
        return self._here.find(frame, effort)


def asks_ssd(effort: str) -> bool:
    """Tell whether an effort of the council may ask the SSD."""
    return effort in council.EFFORTS and len(council.EFFORTS[effort].stages) > 1


def _outputs(*, with_others: bool) -> tuple[str, ...]:
    return picodet.OUTPUTS if with_others else picodet.OUTPUTS[:2]


def _people(seen: Seen, frame: Frame) -> list[Person]:
    """Turn what was seen into people and other things, one box each, best first."""
    shape = frame.shape[0], frame.shape[1]
    people = boxes.to_people(seen.people[boxes.distinct(seen.people)], shape)
    return people + others.judged(seen, shape)


def sizes_of(effort: str) -> tuple[Size, ...]:
    """Return the sizes of PicoDet's input for an effort of the council, the first look's first."""
    if effort not in council.EFFORTS:
        return passes.input_sizes(passes.PLANS[effort])
    wanted = council.EFFORTS[effort]
    return tuple(size for size in (wanted.first, wanted.close) if size != (0, 0))


class _Sized:
    """A network of any input size, compiled for each size when it is first asked for, by whichever thread."""

    def __init__(self, compiler: Compiler, any_size: Any) -> None:  # OpenVINO has no types
        self._compiler, self._any_size = compiler, any_size
        self._requests: dict[Size, Any] = {}
        self._lock = threading.Lock()

    def network(self, size: Size) -> Any:
        """Return the network for one size; it shares the weights, reading again would take 9 MB more."""
        network = self._any_size.clone()
        network.reshape([1, 3, *size])
        return network

    def request(self, size: Size) -> Any:
        """Return what runs the network at one size."""
        with self._lock:
            if size not in self._requests:
                self._requests[size] = self._compiler.compile(self.network(size))
            return self._requests[size]


class _Late:
    """A network that is read first and compiled when it is first asked for, by whichever thread."""

    def __init__(self, compiler: Compiler, read: Callable[[], Any]) -> None:
        self._compiler, self._read = compiler, read
        self._network: Any = None
        self._request: Any = None
        self._lock = threading.Lock()

    def read(self) -> None:
        """Read it from its file."""
        self._network = self._read()

    def request(self) -> Any:
        """Return what runs it."""
        with self._lock:
            if self._request is None:
                self._request = self._compiler.compile(self._network or self._read())
                self._network = None  # compiled, it has weights of its own
            return self._request


def load_engine(name: str, detector: Detector, efforts: Collection[str] = (), *, with_others: bool = False) -> Engine:
    """Load an engine of `choice.candidates` and prepare its first look.

    Args:
        efforts: Those that cameras will ask for beside the detector's own.
        with_others: Whether things other than people are looked for; HOG knows people alone.

    Raises: EngineError when it cannot be loaded here; ConfigError when there is none of that name, or this OpenCV has
        no HOG.
    """
    cv2.setNumThreads(detector.threads)  # the number of detector processes is the parallelism
    match name:
        case "openvino":
            return Council(detector, {detector.effort, *efforts}, with_others=with_others)
        case "opencv":
            engine = Picodet(name, _opencv_network(weights.read(picodet.FILE), with_others=with_others))
            engine.warm_up(detector.effort)
            return engine
        case "hog":
            from camalert.detection import hog  # noqa: PLC0415 - imutils: 80 ms and 8 MB that no other engine needs

            return hog.Hog()
        case "remote":
            servers = remote.servers_of(detector.remote)
            networks = remote.Networks(detector.remote.model, servers, _outputs(with_others=with_others))
            load = functools.partial(_load_here, detector, efforts, with_others=with_others)
            here = load if detector.remote.fall_back else None
            return Elsewhere(networks, here, time.monotonic)
        case _:
            raise ConfigError(f"[detector] engine = {name!r}: allowed are openvino, opencv, hog, remote")


def _load_here(detector: Detector, efforts: Collection[str], *, with_others: bool) -> Engine:
    """Load what examines in this process; it is not the best one where OpenVINO is missing, and better than none."""
    try:
        return load_engine("openvino", detector, efforts, with_others=with_others)
    except EngineError:
        return load_engine("opencv", detector, efforts, with_others=with_others)


def _opencv_network(model: bytes, *, with_others: bool) -> picodet.Network:
    """Read the network into `cv2.dnn`; any input size may follow another."""
    try:
        network = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    except cv2.error as error:
        raise EngineError(f"OpenCV {cv2.__version__} cannot read the model: {error.err}") from error

    def run(blob: Floats) -> picodet.Outputs:
        network.setInput(blob, "image")
        found = network.forward(picodet.OUTPUTS)  # it insists on all of them
        return picodet.Outputs(*(found if with_others else found[:2]))

    return run
