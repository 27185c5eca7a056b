"""An inference server of the tests: KServe's protocol over HTTP with binary tensors, on the exported networks."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from camalert.detection import export
from camalert.detection.openvino_cpu import Compiler
from camalert.detection.remote import INPUT, model_name

LENGTH = "Inference-Header-Content-Length"


class Networks:
    """The networks as a server runs them."""

    def __init__(self, prefix: str = "camalert") -> None:
        self._compiler = Compiler(threads=1)
        self._exporter = export.Exporter(self._compiler)
        self._models = {
            model_name(prefix, model.network, model.size): model for model in export.models_of(("fast", "balanced"))
        }
        self._requests: dict[str, Any] = {}
        self._lock = threading.Lock()

    def infer(self, model: str, picture: Any, outputs: Any) -> list[Any]:
        """Run a network over pictures; KeyError when there is none of that name."""
        with self._lock:
            if model not in self._requests:
                self._requests[model] = self._compiler.compile(self._exporter.network(self._models[model]))
            found = self._requests[model].infer({INPUT: picture})
            return [np.array(found[name]) for name in outputs]


@dataclass(slots=True)
class Double:
    """A running server: how it answers now, and what it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)
    refuses: int = 0  # a status to answer with

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@functools.cache
def networks() -> Networks:
    """Return the networks, read once."""
    return Networks()


@contextmanager
def running(port: int = 0) -> Iterator[Double]:
    """Run a server until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.double = Double(server.server_address[1])  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server.double  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        double: Double = self.server.double  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        model = self.path.split("/")[3]
        double.asked.append(model)
        self.close_connection = True  # so that ending the server ends what it answers
        if double.refuses:
            self._answer(double.refuses, b'{"error": "not now"}')
            return
        head = int(self.headers[LENGTH])
        request = json.loads(body[:head])
        [given] = request["inputs"]
        picture = np.frombuffer(body[head:], np.uint8).reshape(given["shape"])
        names = [output["name"] for output in request["outputs"]]
        found = networks().infer(model, picture, names)
        outputs = [
            {"name": name, "datatype": "FP32", "shape": list(array.shape),
             "parameters": {"binary_data_size": array.nbytes}}
            for name, array in zip(names, found, strict=True)
        ]  # fmt: skip
        header = json.dumps({"model_name": model, "outputs": outputs}).encode()
        self._answer(200, header + b"".join(array.astype("<f4").tobytes() for array in found), len(header))

    def _answer(self, status: int, body: bytes, head: int = 0) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if head else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # or the client's next request meets a connection that is just closing
        if head:
            self.send_header(LENGTH, str(head))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
