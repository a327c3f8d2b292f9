"""Images a second of a training step, here and in PyTorch at its best setting, in turns.

Both are processes that run one step a line (bench_training_speed and torch_training.py, --serve-step);
each waits while the other steps. The ratio is the median of those of the turns.
"""

import os
import statistics
import sys

from stepper import Stepper

CASE = "resnet20:28:1:128"  # that of fashion_mnist.py
PRECISIONS = {"fp32": "fp32_blocked_winograd", "bf16": "bf16_blocked_winograd"}
TURNS, STEPS = 9, 29


def run(torch_version):
    """Yields (name, value)."""
    here = os.path.join(os.environ["FOVEA_BIN"], "tests/bench/bench_training_speed")
    peer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../torch_training.py")
    for precision, variant in PRECISIONS.items():
        with Stepper([here, "--serve-step", variant, CASE]) as ours:
            if torch_version is None:
                yield (f"fashion_mnist.{precision}_images_per_second",
                       ours.batch / statistics.median(ours.turn(STEPS) for _ in range(TURNS)))
                continue
            python = os.environ.get("FOVEA_TORCH_PYTHON", sys.executable)
            with Stepper([python, peer, "--serve-step", precision, CASE]) as theirs:
                turns = [(ours.turn(STEPS), theirs.turn(STEPS)) for _ in range(TURNS)]
                setting = theirs.setting
        prefix = "" if precision == "fp32" else f"{precision}_"
        yield (f"fashion_mnist.{precision}_images_per_second",
               ours.batch / statistics.median(turn[0] for turn in turns))
        yield (f"fashion_mnist.torch_{precision}_images_per_second",
               ours.batch / statistics.median(turn[1] for turn in turns))
        yield f"fashion_mnist.torch_{precision}_setting", setting.replace(" ", ",")
        yield (f"fashion_mnist.{prefix}speed_over_torch",
               statistics.median(turn[1] / turn[0] for turn in turns))
