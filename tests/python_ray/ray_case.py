# SPDX-License-Identifier: Apache-2.0
"""`ray_case.ensure_ray(file)` before `import ray`: a test goes on under a Python that has Ray, or is skipped.

Where to look: FERRY_RAY_PYTHON, else this interpreter, then out/ray/venv. Ray and onnx need 170 MB from PyPI:

    python3 -m venv out/ray/venv && out/ray/venv/bin/pip install 'ray[data]' numpy pillow onnx
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "python_torch"))

import other_python  # noqa: E402

ADVICE = ("no Python with Ray; this makes one (170 MB): python3 -m venv out/ray/venv && "
          "out/ray/venv/bin/pip install 'ray[data]' numpy pillow onnx")


def ensure_ray(test):
    """Goes on, starts again elsewhere, or skips."""
    os.environ.setdefault("RAY_DISABLE_IMPORT_WARNING", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")  # else a token is written to the home folder
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    other_python.go_on_where("import numpy, onnx, PIL, ray.data", "FERRY_RAY_PYTHON",
                             [sys.executable, other_python.venv("ray")], ADVICE, test)


class TwoNodes:
    """A head without CPUs and two nodes with one each, as processes of this machine."""

    def __enter__(self):
        import ray
        from ray.cluster_utils import Cluster

        import python_case
        # Workers import ferry from the tree, as the driver does.
        os.environ.update(python_case.environment())
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": 100 << 20,
                                                                     "include_dashboard": False})
        self.nodes = [self._add() for _ in range(2)]
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level="ERROR")
        self.cluster.wait_for_nodes()
        return self

    def _add(self):
        return self.cluster.add_node(num_cpus=1, object_store_memory=100 << 20)

    def replace_node(self):
        """Takes a node away, with what it was at, and adds another."""
        self.cluster.remove_node(self.nodes.pop(0), allow_graceful=False)
        self.nodes.append(self._add())

    def __exit__(self, *_exception):
        import ray
        ray.shutdown()
        self.cluster.shutdown()
