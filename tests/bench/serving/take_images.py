"""Cuts the normalisation off a published model: take_images.py MODEL.onnx OUT.onnx

OUT takes "images" f32 [N,3,H,W] where MODEL takes "pixels" u8 [N,H,W,3].
"""

import sys

import onnx

NORMALIZATION = ["Cast", "Transpose", "Div", "Sub", "Div"]


def main():
    model = onnx.load(sys.argv[1])
    nodes = model.graph.node
    found = [node.op_type for node in nodes[:len(NORMALIZATION)]]
    if found != NORMALIZATION:
        sys.exit(f"found {found} at the begin, expected {NORMALIZATION}")
    model.graph.input[0].name = nodes[len(NORMALIZATION) - 1].output[0]
    tensor = model.graph.input[0].type.tensor_type
    tensor.elem_type = onnx.TensorProto.FLOAT
    height, width, channels = (dim.dim_value for dim in tensor.shape.dim[1:])
    for dim, value in zip(tensor.shape.dim[1:], (channels, height, width)):
        dim.dim_value = value
    del nodes[:len(NORMALIZATION)]
    onnx.save(model, sys.argv[2])


main()
