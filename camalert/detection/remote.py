"""The networks on inference servers that speak KServe's protocol, version 2: Triton, OpenVINO Model Server, MLServer.

A server gets the pixels as bytes, a quarter of the numbers that they become there, and answers what the network says;
who is asked when, and what the answers mean, is decided here as for every engine. So several detectors, also of several
machines, share one server, which examines their pictures together where it can.

Source: KServe, "Open Inference Protocol (V2)", with the extension for binary tensors.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from camalert.config.schema import Remote
from camalert.decoding.frames import Frame
from camalert.detection import picodet, ssd
from camalert.detection.looks import Floats, Seen, Size, View
from camalert.detection.networks import shown
from camalert.errors import ConfigError, EngineUnavailable
from camalert.system.logs import log

Bytes: TypeAlias = npt.NDArray[np.uint8]

INPUT = "image"  # (n, height, width, 3) bytes, BGR
PICODET, SSD = "picodet", "ssd"
# What each network answers, in the order that its decoder wants.
OUTPUTS = {PICODET: picodet.OUTPUTS, SSD: ("codes", "logits")}
RETRY_S = 30.0  # how long a server that failed is left alone while another one answers
MESSAGE_CHARS = 200


def model_name(prefix: str, network: str, size: Size) -> str:
    """Return the name of a network for one size of its input, as `camalert export-model` writes it."""
    return f"{prefix}_{network}_{size[0]}x{size[1]}"


def outputs_of(network: str, size: Size) -> dict[str, tuple[int, ...]]:
    """Return the shape of each output behind the number of pictures."""
    if network == SSD:
        boxes = len(ssd.default_boxes())
        return dict(zip(OUTPUTS[SSD], ((boxes, 4), (boxes, ssd.CLASSES)), strict=True))
    cells = sum((size[0] // stride) * (size[1] // stride) for stride in picodet.STRIDES_PX)
    rows = (1, 4 * picodet.BINS, len(picodet.KINDS), 1)
    return {name: (count, cells) for name, count in zip(OUTPUTS[PICODET], rows, strict=True)}


class Connection(Protocol):
    """One server."""

    def infer(self, model: str, picture: Bytes, outputs: Sequence[str]) -> list[Floats]:
        """Return the outputs of a model.

        Raises: EngineUnavailable when the server cannot be reached, is too slow, or refuses.
        """


class Servers:
    """Several servers of the same models: the first that answers, so that one may be gone.

    Args:
        urls: In the order of preference.
        connect: Opens a connection to one; it need not reach it yet.
    """

    def __init__(
        self, urls: Sequence[str], connect: Callable[[str], Connection], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._urls = urls
        self._connect = connect
        self._now = now
        self._connections: dict[str, Connection] = {}
        self._failed_at: dict[str, float] = {}

    def infer(self, model: str, picture: Bytes, outputs: Sequence[str]) -> list[Floats]:
        """Return what the first server says that answers.

        Raises: EngineUnavailable when none does; it says why of each.
        """
        reasons = []
        for url in in_turn(self._urls, self._failed_at, self._now()):
            try:
                connection = self._connections.get(url) or self._connect(url)
                self._connections[url] = connection
                answer = connection.infer(model, picture, outputs)
            except EngineUnavailable as error:
                if url not in self._failed_at:
                    log.warning("inference_server_failed", server=url, message=str(error))
                self._failed_at[url] = self._now()
                self._connections.pop(url, None)
                reasons.append(f"{url}: {error}")
            else:
                if self._failed_at.pop(url, None) is not None:
                    log.info("inference_server_answers", server=url)
                return answer
        raise EngineUnavailable("; ".join(reasons))


def in_turn(urls: Sequence[str], failed_at: dict[str, float], now: float) -> list[str]:
    """Return the servers in the order in which they are asked: those that failed a moment ago come last."""
    return sorted(urls, key=lambda url: now - failed_at.get(url, -RETRY_S) < RETRY_S)


class Networks:
    """The council's networks on servers, as looks.

    Args:
        prefix: Of the models' names.
        servers: Which are asked.
        outputs: What PicoDet is asked for.
    """

    def __init__(self, prefix: str, servers: Servers, outputs: Sequence[str] = picodet.OUTPUTS[:2]) -> None:
        self._prefix, self._servers, self._outputs = prefix, servers, outputs

    def picodet(self, frame: Frame, view: View) -> Seen:
        """Look with PicoDet."""

        def network(picture: Any) -> picodet.Outputs:  # bytes, where a network here gets numbers
            return picodet.Outputs(*self._infer(PICODET, picture, self._outputs))

        return picodet.run_pass(network, frame, view, as_bytes)

    def ssd(self, frame: Frame, view: View) -> Seen:
        """Look with the SSD."""
        return ssd.run_pass(lambda picture: self._infer(SSD, picture, OUTPUTS[SSD]), frame, view, as_bytes)

    def _infer(self, network: str, picture: Any, outputs: Sequence[str]) -> Any:  # a tuple as long as the outputs
        size = picture.shape[1], picture.shape[2]
        model = model_name(self._prefix, network, size)
        wanted = {name: shape for name, shape in outputs_of(network, size).items() if name in outputs}
        found = self._servers.infer(model, picture, tuple(wanted))
        for (name, shape), array in zip(wanted.items(), found, strict=True):
            if array is None or array.dtype != np.float32 or array.shape != (1, *shape):
                raise EngineUnavailable(f"{model}: its {name!r} is not what `camalert export-model` exports")
        return tuple(found)


def as_bytes(frame: Frame, view: View) -> Bytes:
    """Turn a BGR frame into (1, height, width, 3) bytes, brightened when the view asks for it."""
    resized = shown(frame, view)
    if view.gamma != 1.0:
        resized = cv2.LUT(resized, _brightened(view.gamma))
    return np.ascontiguousarray(resized)[np.newaxis]


@functools.lru_cache(maxsize=8)
def _brightened(gamma: float) -> Bytes:
    return np.round((np.arange(256) / 255) ** gamma * 255).astype(np.uint8)


class TritonClient:
    """A connection by NVIDIA's client library, which speaks the protocol over gRPC and HTTP.

    Args:
        url: grpc://, grpcs://, http:// or https:// with host and port.
        timeout_s: How long an answer may take.

    Raises: ConfigError when the library is not installed.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        scheme, _, address = url.partition("://")
        is_grpc = scheme.startswith("grpc")
        try:
            self._library: Any = importlib.import_module("tritonclient.grpc" if is_grpc else "tritonclient.http")
        except ImportError as error:
            raise ConfigError(f"{url}: {error}; pip install 'camalert[remote]'") from error
        self._url, self._timeout_s = url, timeout_s
        is_encrypted = scheme in ("grpcs", "https")
        self._of_a_call: dict[str, float] = {}
        self._form: dict[str, bool] = {}  # of the tensors: bytes, or numbers in JSON
        if is_grpc:
            self._client = self._library.InferenceServerClient(address, ssl=is_encrypted)
            self._of_a_call["client_timeout"] = timeout_s
        else:
            self._form = {"binary_data": True}
            self._client = self._library.InferenceServerClient(
                address, ssl=is_encrypted, connection_timeout=timeout_s, network_timeout=timeout_s
            )

    def infer(self, model: str, picture: Bytes, outputs: Sequence[str]) -> list[Floats]:
        """Return the outputs of a model; whatever the library raises means that this server did not answer."""
        try:
            answer = self._ask(model, picture, outputs)
            return [answer.as_numpy(name) for name in outputs]
        except Exception as error:  # of three libraries below, each with exceptions of its own
            raise EngineUnavailable(f"{model}: {_message_of(error, self._timeout_s)}") from error

    def _ask(self, model: str, picture: Bytes, outputs: Sequence[str]) -> Any:
        library, form = self._library, self._form
        given = library.InferInput(INPUT, list(picture.shape), "UINT8")
        given.set_data_from_numpy(picture, **form)
        wanted = [library.InferRequestedOutput(name, **form) for name in outputs]
        try:
            return self._client.infer(model, [given], outputs=wanted, **self._of_a_call)
        except Exception as error:
            # MLServer takes bytes over gRPC alone: what it takes for text is no text.
            if not (form.get("binary_data") and "json" in str(error).lower()):
                raise
            self._form = {"binary_data": False}
            return self._ask(model, picture, outputs)


def _message_of(error: Exception, timeout_s: float) -> str:
    text = " ".join(str(error).split())
    if "timeout" in text.lower() or "deadline" in text.lower() or isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return (text or type(error).__name__)[:MESSAGE_CHARS]


def servers_of(remote: Remote) -> Servers:
    """Return the servers of a configuration."""
    return Servers(remote.url, lambda url: TritonClient(url, remote.timeout_seconds))
