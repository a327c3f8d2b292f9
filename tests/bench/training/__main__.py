"""Quality and speed of training on real data; prints name=value lines.

  scripts/bench training [SECTION…] [--seeds N] [--epochs N] [--data FOLDER]

SECTION (default: all, which takes hours on two cores):
  speed          training steps here and in PyTorch, alternating
  fashion_mnist  accuracy of a small ResNet here and in PyTorch
  ucmerced       multi-label losses and ways
  trashnet       remedies against imbalance on photos
  long_tail      the same on a 26 : 1 version of Fashion-MNIST
FOLDER holds fashion-mnist, ucmerced-multilabel and trashnet; default ../shared/data beside the
project. PyTorch is that of FOVEA_TORCH_PYTHON, default the system's python3 (Debian's
python3-torch); without it its lines are absent and a line on stderr says so.
"""

import argparse
import os
import subprocess
import sys

# For stepper, which the benchmarks share.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
# pylint: disable=wrong-import-position
import fashion_mnist
import imbalance
import speed
import ucmerced
from fovea import Server

SECTIONS = {"speed": "", "fashion_mnist": "fashion-mnist", "ucmerced": "ucmerced-multilabel",
            "trashnet": "trashnet", "long_tail": "fashion-mnist"}
EPOCHS = {"fashion_mnist": 8, "ucmerced": 30, "trashnet": 30, "long_tail": 10}


def find_torch():
    """The version of PyTorch, or None."""
    python = os.environ.get("FOVEA_TORCH_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", "import torch; print(torch.__version__)"],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    print(f"skipped the peer: {python} has no PyTorch", file=sys.stderr)
    return None


def run_section(name, arguments, torch_version):
    epochs = arguments.epochs or EPOCHS.get(name)
    if name == "speed":
        yield from speed.run(torch_version)
        return
    if name == "long_tail":
        yield from imbalance.long_tail(arguments.data, arguments.seeds, epochs)
        return
    with Server(arguments.data) as server:
        if name == "fashion_mnist":
            yield from fashion_mnist.run(server, arguments.data, arguments.seeds, epochs,
                                         torch_version)
        elif name == "ucmerced":
            yield from ucmerced.run(server, arguments.data, arguments.seeds, epochs)
        else:
            yield from imbalance.trashnet(server, arguments.seeds, epochs)


def main():
    root = os.path.dirname(os.path.abspath(__file__)) + "/../../.."
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], metavar="SECTION")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--data", default=os.path.realpath(f"{root}/../shared/data"))
    arguments = parser.parse_args()
    torch_version = find_torch()
    if torch_version is not None:
        print(f"torch.version={torch_version}")
    for name in arguments.sections or SECTIONS:
        folder = os.path.join(arguments.data, SECTIONS[name])
        if not os.path.isdir(folder):
            print(f"skipped {name}: {folder} is absent", file=sys.stderr)
            continue
        for key, value in run_section(name, arguments, torch_version):
            print(f"{key}={value:.4f}" if isinstance(value, float) else f"{key}={value}", flush=True)


main()
