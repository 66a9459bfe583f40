# SPDX-License-Identifier: Apache-2.0
"""The plugin registry, which is empty: ferry runs ONNX's operators and has no plugins."""
from typing import Any, List

from ferry.compat._offered import Shim, refused


class IPluginRegistry(Shim):
    """Where scripts look for plugins."""

    @property
    def plugin_creator_list(self) -> List[Any]:
        """All there are: none."""
        return []

    def get_plugin_creator(self, type: str, version: str = "1", plugin_namespace: str = "") -> None:
        """None: there is no such plugin."""
        return None

    def register_creator(self, creator: Any, plugin_namespace: str = "") -> bool:
        """Not offered."""
        raise refused("a plugin", "ferry runs ONNX's operators; express the plugin in those")

    def deregister_creator(self, creator: Any) -> bool:
        """There is nothing to take back."""
        return False

    def load_library(self, plugin_path: str) -> None:
        """Not offered."""
        raise refused("the plugin library '%s'" % plugin_path, "ferry runs ONNX's operators; express plugins in those")


_registry = IPluginRegistry()


def get_plugin_registry() -> IPluginRegistry:
    """The one registry."""
    return _registry


def init_libnvinfer_plugins(logger: Any, namespace: str) -> bool:
    """There is nothing to initialise: what TensorRT's own plugins do for ONNX models, ferry's operators do."""
    return True
