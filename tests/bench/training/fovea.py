"""A Fovea server of the benchmark's own, driven through the `fovea` command as a user drives it.

Only the standard library. FOVEA_BIN is the folder of the build, set by scripts/bench.
"""

import json
import os
import signal
import subprocess
import tempfile
import time


class Server:
    """fovea-server on free loopback ports with a data folder of its own; a context manager."""

    def __init__(self, data_root):
        self._build = os.environ["FOVEA_BIN"]
        self._data_root = data_root

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="fovea-bench-")
        ports = os.path.join(self._folder.name, "ports")
        self._log_path = os.path.join(self._folder.name, "log")
        with open(self._log_path, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [f"{self._build}/server/fovea-server",
                 "--data-dir", os.path.join(self._folder.name, "data"),
                 "--data-root", self._data_root,
                 "--trainer", f"{self._build}/trainer/fovea-trainer",
                 "--port-file", ports, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"],
                stdout=log, stderr=subprocess.STDOUT)
        try:
            self._address = self._wait_for_address(ports)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _wait_for_address(self, ports):
        for _ in range(600):
            if os.path.exists(ports):
                with open(ports, encoding="utf-8") as file:
                    lines = dict(line.strip().split("=") for line in file)
                return f"127.0.0.1:{lines['grpc']}"
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        with open(self._log_path, encoding="utf-8") as log:
            raise RuntimeError("fovea-server did not start:\n" + log.read())

    def call(self, *arguments):
        """Runs `fovea --json ARGUMENTS…` and returns its JSON objects, one a line."""
        command = [f"{self._build}/client/fovea", "--server", self._address, "--json", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def train(self, dataset, model, *options):
        """Trains to the end; returns the job's events."""
        return self.call("train", dataset, "--model", model, *options)

    def evaluate(self, model, dataset, split="test"):
        """The report."""
        return self.call("evaluate", model, dataset, "--split", split)[-1]


def settings(**values):
    """--set options for `fovea train`: settings(weight_decay=0.1, **{"sgd.nesterov": "true"})."""
    options = []
    for path, value in values.items():
        options += ["--set", f"{path}={value}"]
    return options
