"""Speed of the engine and of the service beside their peers; prints name=value lines.

  scripts/bench serving [SECTION…] [--net NET…] [--batch N…] [--peers PYTHON] [--minutes M]

SECTION (default: all):
  fp32, bf16, int8
               images a second of ResNet-50, ResNet-18 and MobileNetV2 at 224 × 224, one batch at a time
               on all cores, over the best of ONNX Runtime, OpenVINO and PyTorch; in INT8 each peer has
               the net as its own tools quantise it
  service      images a second of Predict with JPEGs as a share of the engine's own with decoding, and
               p99 at half that load over the time of batch 1, for ResNet-50 and MobileNetV2; requests
               a second of a tiny net over those of an empty gRPC service
  perf_analyzer
               images a second of JPEGs under the stock perf_analyzer at its best concurrency (Open
               Inference Protocol, all probabilities) as a share of the engine's own with decoding, and
               p99 at half that load over the time of batch 1, with equal gaps, its default, and with
               those of a Poisson process
  overload     MobileNetV2 at 110 % of its capacity for M minutes (default 30): growth of the memory
               after the first, wrong answers, requests neither answered nor refused
  training     p99 of MobileNetV2 at half its capacity while a job trains, over that without
PYTHON has those and onnx; default: a virtual environment that is made under build/peers with
pip install onnxruntime openvino nncf torch torchvision onnx (some gigabytes). perf_analyzer comes from
PyPI's tritonclient, in an environment under build/perf_analyzer.
"""

import argparse
import functools
import os
import subprocess
import sys

# For stepper, which the benchmarks share.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
# pylint: disable=wrong-import-position
import by_perf_analyzer
import engine
import service

VARIANTS = {"fp32": "fp32_auto", "bf16": "bf16_auto", "int8": "int8_auto"}
PACKAGES = ["onnxruntime", "openvino", "nncf", "torch", "torchvision", "onnx", "numpy"]


def make_environment(name, packages):
    """The Python of a virtual environment with these packages of PyPI."""
    folder = os.path.join(os.environ["FOVEA_BIN"], "..", name)
    python = os.path.join(folder, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True,
                   stdout=sys.stderr)
    return python


@functools.cache
def peers(python):
    """The Python that has the peers; tells their versions."""
    python = python or make_environment("peers", PACKAGES)
    code = ("from importlib.metadata import version\n"
            "for name in ('onnxruntime', 'openvino', 'torch'): print(f'{name}.version={version(name)}')")
    subprocess.run([python, "-c", code], check=True)
    return python


def compare_with_peers(arguments, section):
    """Yields (name, value) of one of the engine's sections."""
    python = peers(arguments.peers)
    variant = arguments.variant or VARIANTS[section]
    yield from engine.run(python, [variant], arguments.net or engine.NETS, arguments.batch)


def load_with_perf_analyzer(arguments):
    """Yields (name, value)."""
    python = make_environment("perf_analyzer", by_perf_analyzer.perf_analyzer.PACKAGES)
    yield from by_perf_analyzer.run(python, arguments.net or service.NETS)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--net", nargs="*")
    parser.add_argument("--batch", nargs="*", type=int, default=list(engine.BATCHES))
    parser.add_argument("--variant", help="of bench_serving_speed")
    parser.add_argument("--peers")
    parser.add_argument("--minutes", type=float, default=30)
    arguments = parser.parse_args()
    of_service = {"service": lambda: service.service(arguments.net or service.NETS),
                  "perf_analyzer": lambda: load_with_perf_analyzer(arguments),
                  "overload": lambda: service.overload(arguments.minutes),
                  "training": service.training}
    for section in arguments.sections or [*VARIANTS, *of_service]:
        results = (compare_with_peers(arguments, section) if section in VARIANTS
                   else of_service[section]())
        for key, value in results:
            print(f"{key}={value:.4f}" if isinstance(value, float) else f"{key}={value}", flush=True)


main()
