"""The stock load generator perf_analyzer as a program to run, and what it measured as numbers.

PyPI's tritonclient has had it up to 2.47.0; in later wheels, and in PyPI's perf-analyzer, it asks for
a newer C library than Debian 12 has. It loads libb64 (Debian's libb64-0d) and, though no GPU is used,
CUDA's runtime library, which is on PyPI too.

Only the standard library here.
"""

import base64
import csv
import ctypes
import glob
import json
import os
import re
import struct
import subprocess
import tempfile

PACKAGES = ("tritonclient==2.47.0", "nvidia-cuda-runtime-cu12")
WINDOWS = 3  # it measures in at least as many, each a fifth longer than asked for

# In the text; the file has none of them, or has them rounded.
_TEXT = {
    "requests": r"^ +Request count: (\d+)",
    "text_images_per_second": r"^ +Throughput: ([\d.]+) infer/sec",
    "latency_us": r"^ +Avg latency: (\d+) usec",
    "delayed_percent": r"([\d.]+)% of the requests were delayed",
    "server_images": r"^ +Inference count: (\d+)",
    "server_runs": r"^ +Execution count: (\d+)",
    "server_requests": r"^ +Successful request count: (\d+)",
    "server_cache_hits": r"^ +Cache hit count: (\d+)",
    "server_us": r"^ +Avg request latency: (\d+) usec",
    "server_overhead_us": r"\(overhead (\d+) usec",
}

# Of the file.
_COLUMNS = {
    "Concurrency": "level",
    "Request Rate": "level",
    "Inferences/Second": "images_per_second",
    "Server Queue": "server_queue_us",
    "Server Compute Input": "server_input_us",
    "Server Compute Infer": "server_infer_us",
    "Server Compute Output": "server_output_us",
    "Server Cache Hit": "server_cache_hit_us",
    **{f"p{each} latency": f"p{each}_us" for each in (50, 90, 95, 99)},
}


class Failed(RuntimeError):
    """It ended with an error, as it does when one request fails or has a wrong answer."""


def missing_library():
    """What says why it cannot run on this machine; none when it can."""
    try:
        ctypes.CDLL("libb64.so.0d")
    except OSError as error:
        return str(error)
    return None


def write_pictures(path, pictures, expected=None):
    """Makes the file for --input-data of a model that takes encoded pictures.

    `expected` is the answer to each, as it travels; None: any will do.
    """
    def tensor(content):
        return {"b64": base64.b64encode(content).decode()}

    data = {"data": [{"image": tensor(struct.pack("<I", len(each)) + each)} for each in pictures]}
    if expected is not None:
        data["validation_data"] = [{"probabilities": tensor(each)} for each in expected]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file)


class PerfAnalyzer:
    """That of the environment of `python`, where PACKAGES are."""

    def __init__(self, python):
        environment = os.path.dirname(os.path.dirname(python))
        self._program = os.path.join(environment, "bin", "perf_analyzer")
        self._libraries = glob.glob(os.path.join(
            environment, "lib", "python*", "site-packages", "nvidia", "cuda_runtime", "lib"))

    def run(self, address, model, *options, seconds=None):
        """What it measured, by name, for each concurrency or rate in rising order.

        With `seconds` for each, and whether or not the windows agree; without, `options` say.
        """
        if seconds is not None:
            window_ms = round(1000 * seconds / WINDOWS / 1.2)
            options = (*options, "--measurement-interval", window_ms, "--stability-percentage", 999,
                       "--max-trials", WINDOWS)
        with tempfile.NamedTemporaryFile("r", suffix=".csv", encoding="utf-8") as file:
            command = [self._program, "-i", "grpc", "-u", address, "-m", model, "-f", file.name,
                       *map(str, options)]
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  env={**os.environ, "LD_LIBRARY_PATH": ":".join(self._libraries)})
            if done.returncode != 0:
                raise Failed(f"{' '.join(command)}: found exit code {done.returncode}, expected 0\n"
                             f"{done.stdout}{done.stderr}")
            rows = [{name: float(row[column]) for column, name in _COLUMNS.items() if row.get(column)}
                    for row in csv.DictReader(file)]
        texts = _by_level(done.stdout)
        return [{**texts[row["level"]], **row} for row in sorted(rows, key=lambda row: row["level"])]


def _by_level(output):
    parts = re.split(r"^Request (?:concurrency|Rate): ([\d.]+)(?: inference requests per seconds)?$",
                     output, flags=re.MULTILINE)
    return {float(level): _numbers(text) for level, text in zip(parts[1::2], parts[2::2])}


def _numbers(text):
    found = {name: re.search(pattern, text, re.MULTILINE) for name, pattern in _TEXT.items()}
    return {name: float(match.group(1)) for name, match in found.items() if match}
