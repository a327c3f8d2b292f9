"""Images a second of a training step, here and in PyTorch at its best setting, in turns.

Both are processes that run one step a line (bench_training_speed and torch_training.py, --serve-step);
each waits while the other steps. The ratio is the median of those of the turns.
"""

import os
import statistics
import subprocess
import sys
import time

CASE = "resnet20:28:1:128"  # that of fashion_mnist.py
PRECISIONS = {"fp32": "fp32_blocked_winograd", "bf16": "bf16_blocked_winograd"}
TURNS, STEPS = 9, 30
REST = 0.2  # seconds between turns: threads of the other process stop spinning
# glibc's malloc returns large blocks to the system and fetches them anew in every step of PyTorch's,
# which costs it up to a third; these keep them.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}


class Stepper:
    """A process that answers a line with the seconds of one step."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True,
                                         env={**os.environ, **KEEP_MEMORY})
        ready = self._process.stdout.readline().split()
        if ready[:1] != ["ready"]:
            self._process.wait()
            raise RuntimeError(f"{' '.join(command)}: exit code {self._process.returncode}")
        self.batch, self.setting = int(ready[1]), " ".join(ready[2:])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait()

    def turn(self):
        """Median seconds of some steps."""
        time.sleep(REST)
        taken = []
        for _ in range(STEPS):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            taken.append(float(self._process.stdout.readline()))
        return statistics.median(taken[1:])


def run(torch_version):
    """Yields (name, value)."""
    here = os.path.join(os.environ["FOVEA_BIN"], "tests/bench/bench_training_speed")
    peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../torch_training.py")
    for precision, variant in PRECISIONS.items():
        with Stepper([here, "--serve-step", variant, CASE]) as ours:
            if torch_version is None:
                yield (f"fashion_mnist.{precision}_images_per_second",
                       ours.batch / statistics.median(ours.turn() for _ in range(TURNS)))
                continue
            python = os.environ.get("FOVEA_TORCH_PYTHON", sys.executable)
            with Stepper([python, peer, "--serve-step", precision, CASE]) as theirs:
                turns = [(ours.turn(), theirs.turn()) for _ in range(TURNS)]
                setting = theirs.setting
        prefix = "" if precision == "fp32" else f"{precision}_"
        yield (f"fashion_mnist.{precision}_images_per_second",
               ours.batch / statistics.median(turn[0] for turn in turns))
        yield (f"fashion_mnist.torch_{precision}_images_per_second",
               ours.batch / statistics.median(turn[1] for turn in turns))
        yield f"fashion_mnist.torch_{precision}_setting", setting.replace(" ", ",")
        yield (f"fashion_mnist.{prefix}speed_over_torch",
               statistics.median(turn[1] / turn[0] for turn in turns))
