"""The published model.onnx gives the same probabilities in ONNX Runtime as the server's Predict.

ONNX Runtime comes from PyPI into a throw-away virtual environment; skipped unless
FOVEA_INTEROP_PYPI is set and PyPI can be reached.
"""

import json
import os
import subprocess
import sys
import unittest

import interop

if not os.environ.get("FOVEA_INTEROP_PYPI"):
    interop.skip("FOVEA_INTEROP_PYPI is not set; with it, ONNX Runtime is fetched from PyPI")
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


def virtual_environment():
    """Python of an environment with onnxruntime; made once under the build folder."""
    folder = os.path.join(os.environ["FOVEA_INTEROP_DIR"], "venv")
    python = os.path.join(folder, "bin", "python")
    try:
        if not os.path.exists(os.path.join(folder, "ready")):
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True,
                           capture_output=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "onnxruntime", "numpy"],
                           check=True, capture_output=True, timeout=300)
            with open(os.path.join(folder, "ready"), "w", encoding="utf-8"):
                pass
    except (subprocess.SubprocessError, OSError) as error:
        interop.skip(f"no ONNX Runtime from PyPI: {error}")
    return python


class OnnxParity(unittest.TestCase):
    def test_probabilities_agree(self):
        python = virtual_environment()
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
