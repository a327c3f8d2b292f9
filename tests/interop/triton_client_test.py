"""The stock client of the Open Inference Protocol, tritonclient, against our server, unmodified.

It comes from PyPI into a throw-away virtual environment; skipped unless FOVEA_INTEROP_PYPI is set
and PyPI can be reached.
"""

import json
import subprocess
import unittest

import interop

interop.require_pypi("tritonclient")
try:
    import grpc  # noqa: F401
except ImportError:
    interop.skip("python3-grpcio is not installed")

from fovea.v1 import classifier_pb2, classifier_pb2_grpc

# Runs in the virtual environment: the server's address and pictures as JSON on stdin, what the
# client got as JSON on stdout.
RUNNER = """
import base64, json, queue, sys
import numpy
import tritonclient.grpc as triton

job = json.load(sys.stdin)
side = job["side"]
pixels = numpy.array(job["pixels"], numpy.uint8).reshape(-1, side, side, 3)
encoded = numpy.array([base64.b64decode(each) for each in job["encoded"]], object).reshape(-1, 1)
client = triton.InferenceServerClient(job["address"])


def infer(model, name, values, datatype, outputs=None, **more):
    tensor = triton.InferInput(name, values.shape, datatype)
    tensor.set_data_from_numpy(values)
    return client.infer(model, [tensor], outputs=outputs, **more)


def error_of(call):
    try:
        call()
    except triton.InferenceServerException as error:
        return f"{error.status()} {error.message()}"
    return "none"


def stream(count):
    # Answers to `count` requests on one stream, the second for an unknown model.
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    tensor = triton.InferInput("pixels", pixels.shape, "UINT8")
    tensor.set_data_from_numpy(pixels)
    for i in range(count):
        client.async_stream_infer("other" if i == 1 else "colours", [tensor], request_id=str(i))
    got = [answers.get(timeout=60) for _ in range(count)]
    client.stop_stream()
    return [str(error) if error else result.get_response().id + " " + str(
        bool((result.as_numpy("probabilities") == plain.as_numpy("probabilities")).all()))
        for result, error in got]


plain = infer("colours", "pixels", pixels, "UINT8", request_id="seven")
top = infer("colours", "pixels", pixels, "UINT8",
            outputs=[triton.InferRequestedOutput("probabilities", class_count=2)])
metadata = client.get_model_metadata("colours")
config = client.get_model_config("colours_jpeg").config
json.dump({
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model_ready": [client.is_model_ready(*each) for each in
                    (("colours",), ("colours", "1"), ("colours_jpeg",), ("colours", "9"), ("other",))],
    "server": client.get_server_metadata().name,
    "shape": list(metadata.inputs[0].shape),
    "config_dims": list(config.input[0].dims),
    "max_batch": config.max_batch_size,
    "id": plain.get_response().id,
    "version": plain.get_response().model_version,
    "pixels": plain.as_numpy("probabilities").tolist(),
    "floats": infer("colours", "pixels", pixels.astype(numpy.float32), "FP32")
              .as_numpy("probabilities").tolist(),
    "encoded": infer("colours_jpeg", "image", encoded, "BYTES", client_timeout=60, timeout=60000000,
                     priority=1).as_numpy("probabilities").tolist(),
    "top": [[each.decode() for each in row] for row in top.as_numpy("probabilities")],
    "stream": stream(4),
    "statistics": client.get_inference_statistics("colours").model_stats[0].inference_stats.queue.count,
    "index": [[each.name, each.version, each.state]
              for each in client.get_model_repository_index().models],
    "unknown": error_of(lambda: infer("other", "pixels", pixels, "UINT8")),
    "small": error_of(lambda: infer("colours", "pixels", pixels[:, :, 1:], "UINT8")),
}, sys.stdout)
"""


class TritonClient(unittest.TestCase):
    def test_answers_are_those_of_predict(self):
        import base64
        python = interop.virtual_environment("tritonclient[grpc]")
        labels = list(interop.COLOURS)
        pictures = [interop.pixels(label, 3000 + i) for label in labels for i in range(3)]
        with interop.Server() as server, interop.channel_to(server.address) as channel:
            interop.import_colours(channel, "colours", 20)
            interop.train_colours(channel, "colours")
            predicted = classifier_pb2_grpc.ClassifierStub(channel).Predict(
                classifier_pb2.PredictRequest(model="colours", images=[
                    classifier_pb2.Image(encoded=interop.png(rgb)) for rgb in pictures]))
            job = {"address": server.address, "side": interop.SIDE,
                   "pixels": [list(rgb) for rgb in pictures],
                   "encoded": [base64.b64encode(interop.png(rgb)).decode() for rgb in pictures]}
            run = subprocess.run([python, "-c", RUNNER], input=json.dumps(job), text=True,
                                 capture_output=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr)
        got = json.loads(run.stdout)
        self.assertTrue(got["live"] and got["ready"])
        self.assertEqual(got["model_ready"], [True, True, True, False, False])
        self.assertEqual(got["server"], "fovea")
        self.assertEqual(got["shape"], [-1, interop.SIDE, interop.SIDE, 3])
        self.assertEqual(got["config_dims"], [1])
        self.assertGreaterEqual(got["max_batch"], len(pictures))
        self.assertEqual((got["id"], got["version"]), ("seven", "1"))
        self.assertEqual([got["stream"][i] for i in (0, 2, 3)], ["0 True", "2 True", "3 True"])
        self.assertIn("NOT_FOUND", got["stream"][1])
        self.assertGreaterEqual(got["statistics"], 8)
        self.assertEqual(got["index"], [["colours", "1", "READY"]])
        self.assertIn("NOT_FOUND", got["unknown"])
        self.assertIn("INVALID_ARGUMENT", got["small"])
        for i, prediction in enumerate(predicted.predictions):
            for label in prediction.labels:
                for way in ("pixels", "floats", "encoded"):
                    self.assertAlmostEqual(got[way][i][label.index], label.probability, delta=1e-6)
            first = prediction.labels[0]
            probability, index, name = got["top"][i][0].split(":")
            self.assertEqual((int(index), name), (first.index, first.label))
            self.assertAlmostEqual(float(probability), first.probability, delta=1e-6)


if __name__ == "__main__":
    interop.main()
