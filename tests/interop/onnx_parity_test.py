"""The published model.onnx gives the same probabilities in ONNX Runtime as the server's Predict.

ONNX Runtime comes from PyPI into a throw-away virtual environment; skipped unless
FOVEA_INTEROP_PYPI is set and PyPI can be reached.
"""

import json
import os
import subprocess
import unittest

import interop

interop.require_pypi("ONNX Runtime")
try:
    import grpc  # noqa: F401
except ImportError:
    interop.skip("python3-grpcio is not installed")

from fovea.v1 import classifier_pb2, classifier_pb2_grpc

TOLERANCE = 1e-4  # of a probability; two libraries add up in different orders

# Runs in the virtual environment: pictures as JSON on stdin, probabilities as JSON on stdout.
RUNNER = """
import json, sys
import numpy, onnxruntime
job = json.load(sys.stdin)
session = onnxruntime.InferenceSession(job["model"], providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
side = job["side"]
batch = numpy.array(job["pictures"], dtype=numpy.uint8).reshape(-1, side, side, 3)
rows = [session.run(None, {name: batch[i:i + 1]})[0][0].tolist() for i in range(len(batch))]
json.dump(rows, sys.stdout)
"""


class OnnxParity(unittest.TestCase):
    def test_probabilities_agree(self):
        python = interop.virtual_environment("onnxruntime", "numpy")
        pictures = [(label, interop.pixels(label, 2000 + i))
                    for label in interop.COLOURS for i in range(4)]
        with interop.Server() as server, interop.channel_to(server.address) as channel:
            interop.import_colours(channel, "colours", 20)
            interop.train_colours(channel, "colours")
            response = classifier_pb2_grpc.ClassifierStub(channel).Predict(
                classifier_pb2.PredictRequest(model="colours", images=[
                    classifier_pb2.Image(encoded=interop.png(rgb)) for _, rgb in pictures]))
            model = os.path.join(server.data_dir, "models", "colours", "1", "model.onnx")
            job = {"model": model, "side": interop.SIDE, "pictures": [list(rgb) for _, rgb in pictures]}
            run = subprocess.run([python, "-c", RUNNER], input=json.dumps(job), text=True,
                                 capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        for prediction, row in zip(response.predictions, json.loads(run.stdout)):
            self.assertEqual(len(prediction.labels), len(row))
            for label in prediction.labels:
                self.assertAlmostEqual(label.probability, row[label.index], delta=TOLERANCE)


if __name__ == "__main__":
    interop.main()
