"""A net of f32 as its peers serve it in INT8: quantise.py PEER MODEL.onnx

Writes it beside the model (quantised_file).

onnxruntime: static quantisation by its own tool, as QuantizeLinear and DequantizeLinear nodes. openvino:
post-training quantisation by NNCF. Both with one scale for each output channel of the weights, calibrated
on noise: here it is the time of a step that counts, which does not depend on the scales.
"""

import sys

import numpy

SIDE = 224
BATCHES = 4


def quantised_file(peer, file):
    """Where the net of `file` is kept as this peer's tools quantise it."""
    return f"{file}.{peer}." + {"onnxruntime": "onnx", "openvino": "xml"}[peer]


def images():
    generator = numpy.random.default_rng(1)
    for _ in range(BATCHES):
        yield generator.normal(size=(1, 3, SIDE, SIDE)).astype(numpy.float32)


def onnxruntime(file, target):
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization import shape_inference

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self._images = images()

        def get_next(self):
            image = next(self._images, None)
            return None if image is None else {name: image}

    name = onnx.load(file).graph.input[0].name
    prepared = target + ".prepared.onnx"
    shape_inference.quant_pre_process(file, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared, target, Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8)


def openvino(file, target):
    import nncf
    from openvino import Core, save_model
    model = Core().read_model(file)
    name = model.inputs[0].get_any_name()
    dataset = nncf.Dataset([{name: image} for image in images()])
    save_model(nncf.quantize(model, dataset, subset_size=BATCHES), target, compress_to_fp16=False)


def main():
    peer, file = sys.argv[1:]
    {"onnxruntime": onnxruntime, "openvino": openvino}[peer](file, quantised_file(peer, file))


if __name__ == "__main__":
    main()
