"""Images a second of the engine beside its peers, in turns.

Everyone is a process that runs one step a line and waits while the others step; a ratio is the median
of those of the turns.
"""

import itertools
import math
import os
import statistics
import subprocess
import sys
import tempfile

from stepper import Stepper

NETS = ("resnet50", "resnet18", "mobilenet_v2")
BATCHES = (1, 8, 32)
PEERS = {"fp32": ("onnxruntime", "openvino", "torch"), "bf16": ("openvino", "torch"),
         "int8": ("onnxruntime", "openvino", "torch")}
TURNS, STEPS, TURN_SECONDS = 7, 3, 0.6


def start_peers(python, precision, net, batch, file):
    here = os.path.dirname(os.path.abspath(__file__))
    peers = {}
    for name in PEERS[precision]:
        command = [python, os.path.join(here, "peer.py"), name, precision, str(batch), net, file]
        try:
            peers[name] = Stepper(command, sys.stderr)
        except RuntimeError as error:
            print(f"skipped {name}: {error}", file=sys.stderr)
    return peers


def cell(program, python, variant, net, batch, file):
    """(name, value) of one net and batch; the ratio to the best peer last."""
    precision = variant.split("_")[0]
    ours = Stepper([program, "--serve-step", variant, f"{net}:{batch}"], sys.stderr)
    peers = start_peers(python, precision, net, batch, file)
    try:
        turns = [(ours.turn(STEPS, TURN_SECONDS),
                  {name: peer.turn(STEPS, TURN_SECONDS) for name, peer in peers.items()})
                 for _ in range(TURNS)]
    finally:
        for process in [ours, *peers.values()]:
            process.close()
    prefix = f"{net}.b{batch}.{precision}"
    yield f"{prefix}.images_per_second", batch / statistics.median(turn[0] for turn in turns)
    for name, peer in peers.items():
        yield f"{prefix}.{name}.setting", peer.setting
        yield (f"{prefix}.over_{name}",
               statistics.median(others[name] / mine for mine, others in turns))
    if peers:
        best = min(peers, key=lambda name: statistics.median(others[name] for _, others in turns))
        yield f"{prefix}.best_peer", best
        yield (f"{prefix}.over_best_peer",
               statistics.median(others[best] / mine for mine, others in turns))


def quantise(python, files):
    """Writes each net as ONNX Runtime's and OpenVINO's tools quantise it, beside its file."""
    script = os.path.join(os.path.dirname(__file__), "quantise.py")
    for file, peer in itertools.product(files.values(), ("onnxruntime", "openvino")):
        done = subprocess.run([python, script, peer, file], stdout=sys.stderr, check=False)
        if done.returncode != 0:
            print(f"{os.path.basename(file)} is not quantised for {peer}", file=sys.stderr)


def run(python, variants, nets=NETS, batches=BATCHES):
    """Yields (name, value) for every net, batch and variant."""
    program = os.path.join(os.environ["FOVEA_BIN"], "tests/bench/bench_serving_speed")
    with tempfile.TemporaryDirectory() as folder:
        files = {net: os.path.join(folder, f"{net}.onnx") for net in nets}
        for net, file in files.items():
            subprocess.run([program, "--export", file + ".bytes", net], check=True)
            subprocess.run([python, os.path.join(os.path.dirname(__file__), "take_images.py"),
                            file + ".bytes", file], check=True)
        for variant in variants:
            if variant.startswith("int8"):
                quantise(python, files)
            ratios = []
            for net, batch in itertools.product(nets, batches):
                for name, value in cell(program, python, variant, net, batch, files[net]):
                    yield name, value
                    if name.endswith(".over_best_peer"):
                        ratios.append(value)
            if ratios:
                precision = variant.split("_")[0]
                yield f"{precision}.over_best_peer.geomean", math.exp(
                    statistics.mean(math.log(ratio) for ratio in ratios))
                yield f"{precision}.over_best_peer.min", min(ratios)
