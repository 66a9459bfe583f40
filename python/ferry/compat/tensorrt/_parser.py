# SPDX-License-Identifier: Apache-2.0
"""OnnxParser: fills a network from an ONNX model, and keeps all that is wrong with it as a list of errors."""
import re
from typing import Any, List, Optional, Tuple

import ferry
from ferry.compat._offered import Shim
from ferry.compat.tensorrt._enums import ErrorCode, OnnxParserFlag
from ferry.compat.tensorrt._logger import Log

_NODE = re.compile(r"node '(?P<name>.*?)' \((?P<op>[^()]*)\): ")


class ParserError(Shim):
    """One thing that is wrong with a model."""

    def __init__(self, text: str, code: ErrorCode, number: int, where: str) -> None:
        found = _NODE.search(text)
        self._text, self._code, self._where = text, code, where
        self._node = number if found else -1
        self._name, self._operator = (found.group("name"), found.group("op")) if found else ("", "")

    def code(self) -> ErrorCode:
        """What kind it is of."""
        return self._code

    def desc(self) -> str:
        """What is wrong, and the way out."""
        return self._text

    def file(self) -> str:
        """The model's file, where it was parsed from one. (TensorRT names a file of its own source.)"""
        return self._where

    def func(self) -> str:
        """What found it."""
        return "ferry_network_load"

    def line(self) -> int:
        """A line of source: there is none to name."""
        return 0

    def node(self) -> int:
        """The place of the error among those of nodes; -1 where it belongs to no node. node_name() names the node."""
        return self._node

    def node_name(self) -> str:
        """The node's name."""
        return self._name

    def node_operator(self) -> str:
        """The node's operator."""
        return self._operator

    def __str__(self) -> str:
        if self._node < 0:
            return "%s: %s" % (self._code.name, self._text)
        return "In node %d with name: %s and operator: %s (%s): %s: %s" % (
            self._node, self._name, self._operator, self.func(), self._code.name, self._text)


class OnnxParser(Shim):
    """Reads ONNX models into a network."""

    def __init__(self, network: Any, logger: Any) -> None:
        self._network = network
        self._log = Log(logger)
        self._errors: List[ParserError] = []
        self._flags = 0

    def parse(self, model: Any, path: Optional[str] = None) -> bool:
        """Reads a model from bytes. path: where it lies, for weights beside it."""
        return self._parse(bytes(model), path)

    def parse_from_file(self, model: str) -> bool:
        """Reads a model file, with the weights beside it."""
        return self._parse(None, model)

    def _parse(self, data: Optional[bytes], path: Optional[str]) -> bool:
        found: List[str] = []

        def listen(severity, text):
            if severity == ferry.Severity.ERROR:
                found.append(text)
            self._log.pass_on(severity, text)

        try:
            self._network._adopt_model(data, path, ferry.Logger(ferry.Severity.VERBOSE, listen))
            return True
        except ferry.Error as error:
            self._keep(error, found, path or "")
            return False

    def _keep(self, error: ferry.Error, found: List[str], path: str) -> None:
        if not found:
            found = str(error).split("\n")
            self._log.error(error)
        code = ErrorCode.UNSUPPORTED_NODE if isinstance(error, ferry.UnsupportedError) else \
            ErrorCode.INVALID_GRAPH if any(_NODE.search(t) for t in found) else ErrorCode.MODEL_DESERIALIZE_FAILED
        for text in found:
            self._errors.append(ParserError(text, code, len(self._errors), path))

    @property
    def num_errors(self) -> int:
        """How many errors there are."""
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        """One of them."""
        return self._errors[index]

    def clear_errors(self) -> None:
        """Forgets them."""
        self._errors = []

    def supports_operator(self, op_name: str) -> bool:
        """Whether an operator is taken, in some form."""
        return ferry.supports_operator(op_name)

    def supports_model(self, model: Any, path: Optional[str] = None) -> Tuple[bool, List[Tuple[List[int], bool]]]:
        """Whether a model is taken: (yes or no, and its nodes as one piece that is or is not)."""
        try:
            network = ferry.Network.parse(model, path, logger=self._log.for_ferry)
        except ferry.Error as error:
            self._log.error(error)
            return False, []
        return True, [(list(range(len(network))), True)]

    def set_flag(self, flag: OnnxParserFlag) -> None:
        """NATIVE_INSTANCENORM is how ferry computes it in any case."""
        self._flags |= 1 << int(flag)

    def clear_flag(self, flag: OnnxParserFlag) -> None:
        """Clears a flag."""
        self._flags &= ~(1 << int(flag))

    def get_flag(self, flag: OnnxParserFlag) -> bool:
        """Whether a flag is set."""
        return bool(self._flags >> int(flag) & 1)

    @property
    def flags(self) -> int:
        """All flags as bits."""
        return self._flags

    @flags.setter
    def flags(self, flags: int) -> None:
        self._flags = int(flags)

    def get_used_vc_plugin_libraries(self) -> List[str]:
        """Plugins that the model needs: none."""
        return []


def get_nv_onnx_parser_version() -> Tuple[int, int, int]:
    """Of the parser that is stood in for."""
    return (0, 8, 6)
