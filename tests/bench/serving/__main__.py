"""Speed of the engine and of the service beside their peers; prints name=value lines.

  scripts/bench serving [SECTION…] [--net NET…] [--batch N…] [--peers PYTHON]

SECTION (default: all):
  fp32, bf16   images a second of ResNet-50, ResNet-18 and MobileNetV2 at 224 × 224, one batch at a time
               on all cores, over the best of ONNX Runtime, OpenVINO and PyTorch
PYTHON has those and onnx; default: a virtual environment that is made under build/peers with
pip install onnxruntime openvino torch torchvision onnx (some gigabytes).
"""

import argparse
import os
import subprocess
import sys

import engine

VARIANTS = {"fp32": "fp32_blocked_winograd", "bf16": "bf16_blocked"}
PACKAGES = ["onnxruntime", "openvino", "torch", "torchvision", "onnx", "numpy"]


def make_peers(folder):
    """The Python of a virtual environment with the peers."""
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True,
                   stdout=sys.stderr)
    return python


def versions(python):
    code = ("from importlib.metadata import version\n"
            "for name in ('onnxruntime', 'openvino', 'torch'): print(f'{name}.version={version(name)}')")
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--net", nargs="*", default=list(engine.NETS))
    parser.add_argument("--batch", nargs="*", type=int, default=list(engine.BATCHES))
    parser.add_argument("--variant", help="of bench_serving_speed")
    parser.add_argument("--peers")
    arguments = parser.parse_args()
    python = arguments.peers or make_peers(os.path.join(os.environ["FOVEA_BIN"], "../peers"))
    print(versions(python), end="")
    for section in arguments.sections or VARIANTS:
        variant = arguments.variant or VARIANTS[section]
        for key, value in engine.run(python, [variant], arguments.net, arguments.batch):
            print(f"{key}={value:.4f}" if isinstance(value, float) else f"{key}={value}", flush=True)


main()
