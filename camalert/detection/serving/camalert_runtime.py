"""Runs camalert's networks in MLServer, by OpenVINO: pip install mlserver openvino."""

import openvino
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OpenvinoRuntime(MLModel):
    """One network; MLServer brings the pictures of several requests together."""

    async def load(self) -> bool:
        """Compile the network."""
        path = await get_model_uri(self._settings)
        self._compiled = openvino.Core().compile_model(path, "AUTO", {"INFERENCE_PRECISION_HINT": "f32"})
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run it over all pictures of a request."""
        pictures = NumpyCodec.decode_input(payload.inputs[0])
        found = self._compiled(pictures)
        outputs = [NumpyCodec.encode_output(output.get_any_name(), found[output]) for output in self._compiled.outputs]
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=outputs)
