# SPDX-License-Identifier: Apache-2.0
"""EngineInspector: an engine's layers as text or JSON."""
import json
from typing import Any, Dict

import ferry
from ferry.compat._offered import Shim
from ferry.compat.tensorrt._enums import LayerInformationFormat


class EngineInspector(Shim):
    """Made by ICudaEngine.create_engine_inspector()."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._context = None

    @property
    def execution_context(self) -> Any:
        """A context whose shapes the information is for; ferry's is for the profile's best."""
        return self._context

    @execution_context.setter
    def execution_context(self, context: Any) -> None:
        self._context = context

    def _layers(self) -> Any:
        return self._engine._engine.layers

    @staticmethod
    def _line(layer: Dict[str, Any]) -> str:
        return "%s: %s, %s on %s%s" % (layer["name"], "+".join(layer["ops"]) or layer["kind"], layer["precision"],
                                       layer["device"], ", " + layer["tactic"] if layer["tactic"] else "")

    def get_layer_information(self, layer_index: int, format: LayerInformationFormat) -> str:
        """One layer, as a line or as JSON."""
        layers = self._layers()
        if not 0 <= layer_index < len(layers):
            raise ferry.InvalidArgumentError("layer %d of %d" % (layer_index, len(layers)))
        layer = layers[layer_index]
        return self._line(layer) if format == LayerInformationFormat.ONELINE else json.dumps(_titled(layer))

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        """The engine's layers and bindings, as lines or as JSON."""
        layers = self._layers()
        if format == LayerInformationFormat.ONELINE:
            return "Layers:\n%s\n\nBindings:\n%s\n" % ("\n".join(map(self._line, layers)), "\n".join(
                b.name for b in self._engine._engine.bindings))
        return json.dumps({"Layers": [_titled(layer) for layer in layers],
                           "Bindings": [b.name for b in self._engine._engine.bindings]})


def _titled(layer: Dict[str, Any]) -> Dict[str, Any]:
    """A layer with TensorRT's keys, and ferry's own below "ferry"."""
    def tensors(side):
        return [{"Name": t["name"], "Dimensions": t["shape"], "Format/Datatype": "%s %s" % (t["layout"], t["dtype"])}
                for t in layer[side]]

    return {"Name": layer["name"], "LayerType": "+".join(layer["ops"]) or layer["kind"], "Inputs": tensors("inputs"),
            "Outputs": tensors("outputs"), "TacticName": layer["tactic"], "ferry": layer}
