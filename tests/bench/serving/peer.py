"""One inference step of a peer, on all cores: peer.py PEER PRECISION BATCH NET MODEL.onnx

PEER is onnxruntime, openvino or torch; PRECISION fp32, bf16 or int8 (of a model that quantise.py has
been given). Prints "ready BATCH SETTING"; then each line on stdin runs one step and answers its seconds.
The peer is given normalised f32 images, so it has less to do than Fovea, which takes bytes. Of several
settings the fastest is kept.
"""

import os
import statistics
import sys
import time

import numpy

from quantise import SIDE, quantised_file

CORES = len(os.sched_getaffinity(0))


class OnnxRuntime:
    SETTINGS = {"fp32": ["default", "without_blocked_layout"],
                "int8": ["default", "without_blocked_layout"]}

    def __init__(self, precision, batch, net, file, setting):
        import onnxruntime
        del net
        if precision == "int8":
            file = quantised_file("onnxruntime", file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = CORES
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = (
            onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL if setting == "default"
            else onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED)
        options.add_free_dimension_override_by_name("N", batch)
        self._session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, images):
        return self._session.run(None, {self._input: images})[0]


class OpenVino:
    # In INT8 as either tool quantised the net.
    SETTINGS = {"fp32": ["latency"], "bf16": ["latency"], "int8": ["openvino", "onnxruntime"]}

    def __init__(self, precision, batch, net, file, setting):
        import openvino
        del net
        if precision == "int8":
            file = quantised_file(setting, file)
        core = openvino.Core()
        model = core.read_model(file)
        model.reshape([batch, 3, SIDE, SIDE])
        compiled = core.compile_model(model, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": CORES, "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"})
        self._request = compiled.create_infer_request()
        self._tensor = self._request.get_input_tensor()
        self._filled = False

    def run(self, images):
        self._tensor.data[:] = images
        self._request.infer()
        return self._request.get_output_tensor().data


class Torch:
    # In INT8: the library of quantised kernels.
    SETTINGS = {"fp32": ["inductor", "script"], "bf16": ["inductor", "script"],
                "int8": ["x86", "onednn"]}

    def __init__(self, precision, batch, net, file, setting):
        import torch
        import torchvision
        del file
        torch.set_num_threads(CORES)
        self._torch = torch
        self._bf16 = precision == "bf16"
        if precision == "int8":
            torch.backends.quantized.engine = setting
            model = getattr(torchvision.models.quantization, net)(weights=None, quantize=True).eval()
        else:
            model = getattr(torchvision.models, net)(weights=None).eval()
        example = torch.zeros(batch, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
        with torch.inference_mode(), self._autocast():
            if setting == "inductor":
                from torch._inductor import config
                config.freezing = True
                self._model = torch.compile(model)
            elif precision == "int8":
                self._model = torch.jit.freeze(torch.jit.trace(model, example))
            else:
                model = model.to(memory_format=torch.channels_last)
                self._model = torch.jit.optimize_for_inference(
                    torch.jit.freeze(torch.jit.trace(model, example)))

    def _autocast(self):
        return self._torch.autocast("cpu", dtype=self._torch.bfloat16, enabled=self._bf16)

    def run(self, images):
        torch = self._torch
        with torch.inference_mode(), self._autocast():
            return self._model(torch.from_numpy(images)).float().numpy()


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "torch": Torch}


def seconds_of_step(model, images):
    start = time.perf_counter()
    model.run(images)
    return time.perf_counter() - start


def fastest(peer, precision, batch, net, file, images):
    """The peer in its fastest setting, and that setting's name."""
    tried = []
    for setting in peer.SETTINGS[precision]:
        try:
            model = peer(precision, batch, net, file, setting)
            for _ in range(3):
                model.run(images)
            taken = statistics.median(seconds_of_step(model, images) for _ in range(5))
        except Exception as error:  # pylint: disable=broad-except
            print(f"{peer.__name__} {setting}: {error}", file=sys.stderr)
            continue
        tried.append((taken, setting, model))
    return min(tried, key=lambda each: each[0])[1:]


def main():
    name, precision, batch, net, file = sys.argv[1:]
    images = numpy.random.default_rng(1).normal(size=(int(batch), 3, SIDE, SIDE))
    images = images.astype(numpy.float32)
    setting, model = fastest(PEERS[name], precision, int(batch), net, file, images)
    print(f"ready {batch} {setting}", flush=True)
    for _ in sys.stdin:
        print(f"{seconds_of_step(model, images):.6f}", flush=True)


main()
