"""The stock client of the Open Inference Protocol, tritonclient, against our server, unmodified.

It comes from PyPI into a throw-away virtual environment; skipped unless FOVEA_INTEROP_PYPI is set
and PyPI can be reached.
"""

import json
import os
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
import tritonclient.utils.shared_memory as shared_memory
from tritonclient.utils import serialize_byte_tensor

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


def in_shared_memory(model, name, values, datatype):
    # The probabilities, with input and output in two regions; what is registered before and after.
    content = serialize_byte_tensor(values) if datatype == "BYTES" else values
    size = len(content.item()) if datatype == "BYTES" else values.nbytes
    labels = plain.as_numpy("probabilities").shape[1]
    answer_size = 4 * labels * len(values)
    client.unregister_system_shared_memory()
    client.unregister_cuda_shared_memory()
    memory = {}
    try:
        for region, bytes_needed in (("in", size), ("out", answer_size)):
            memory[region] = shared_memory.create_shared_memory_region(
                region, job["prefix"] + region, 64 + bytes_needed)
            client.register_system_shared_memory(region, job["prefix"] + region, 64 + bytes_needed)
        shared_memory.set_shared_memory_region(memory["in"], [content], offset=64)
        tensor = triton.InferInput(name, values.shape, datatype)
        tensor.set_shared_memory("in", size, offset=64)
        output = triton.InferRequestedOutput("probabilities")
        output.set_shared_memory("out", answer_size, offset=64)
        result = client.infer(model, [tensor], outputs=[output])
        shape = list(result.get_output("probabilities").shape)
        answer = shared_memory.get_contents_as_numpy(
            memory["out"], numpy.float32, shape, offset=64).tolist()
        output.set_shared_memory("out", answer_size - 1)
        small = error_of(lambda: client.infer(model, [tensor], outputs=[output]))
        registered = client.get_system_shared_memory_status(as_json=True)["regions"]
        client.unregister_system_shared_memory("in")
        left = list(client.get_system_shared_memory_status().regions)
    finally:
        client.unregister_system_shared_memory()
        for region in memory.values():
            shared_memory.destroy_shared_memory_region(region)
    return {"answer": answer, "small": small, "registered": registered, "left": left,
            "cuda": len(client.get_cuda_shared_memory_status().regions)}


def settings():
    trace = client.get_trace_settings(model_name="colours", as_json=True)["settings"]
    changed = client.update_log_settings({"log_info": False, "log_verbose_level": 0})
    log = client.update_log_settings({"log_info": None, "log_file": ""}, as_json=True)["settings"]
    return {
        "trace_level": trace["trace_level"]["value"],
        "trace_off": list(client.update_trace_settings(
            settings={"trace_level": ["OFF"], "trace_rate": None}).settings["trace_level"].value),
        "trace_on": error_of(lambda: client.update_trace_settings(
            settings={"trace_level": ["TIMESTAMPS"]})),
        "log_quiet": changed.settings["log_info"].bool_param,
        "log": log,
        "log_same": client.get_log_settings(as_json=True)["settings"] == log,
        "log_file": error_of(lambda: client.update_log_settings({"log_file": "/tmp/log"})),
    }


def statistics():
    stats = client.get_inference_statistics("colours").model_stats[0]
    requests = stats.inference_stats
    return {
        "queued": requests.queue.count,
        "success_ns": requests.success.ns,
        "phases_ns": sum(each.ns for each in (requests.queue, requests.compute_input,
                                              requests.compute_infer, requests.compute_output)),
        "executions": stats.execution_count,
        "batches": {each.batch_size: each.compute_infer.count for each in stats.batch_stats},
    }


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
    "extensions": list(client.get_server_metadata().extensions),
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
    "shared_pixels": in_shared_memory("colours", "pixels", pixels, "UINT8"),
    "shared_encoded": in_shared_memory("colours_jpeg", "image", encoded, "BYTES"),
    "settings": settings(),
    "statistics": statistics(),
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
        prefix = f"/fovea_interop_{os.getpid()}_"
        with interop.Server("--shared-memory-prefix", prefix) as server, interop.channel_to(server.address) as channel:
            interop.import_colours(channel, "colours", 20)
            interop.train_colours(channel, "colours")
            predicted = classifier_pb2_grpc.ClassifierStub(channel).Predict(
                classifier_pb2.PredictRequest(model="colours", images=[
                    classifier_pb2.Image(encoded=interop.png(rgb)) for rgb in pictures]))
            job = {"address": server.address, "side": interop.SIDE, "prefix": prefix,
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
        self.check_shared_memory(got, prefix, len(pictures))
        self.check_settings(got["settings"])
        statistics = got["statistics"]
        self.assertGreaterEqual(statistics["queued"], 8)
        self.assertLessEqual(statistics["phases_ns"], statistics["success_ns"])
        self.assertGreater(statistics["phases_ns"], 0.9 * statistics["success_ns"])
        self.assertEqual(sum(statistics["batches"].values()), statistics["executions"])
        self.assertEqual(got["index"], [["colours", "1", "READY"]])
        self.assertIn("NOT_FOUND", got["unknown"])
        self.assertIn("INVALID_ARGUMENT", got["small"])
        for i, prediction in enumerate(predicted.predictions):
            for label in prediction.labels:
                for way in ("pixels", "floats", "encoded", "shared_pixels", "shared_encoded"):
                    self.assertAlmostEqual(got[way][i][label.index], label.probability, delta=1e-6)
            first = prediction.labels[0]
            probability, index, name = got["top"][i][0].split(":")
            self.assertEqual((int(index), name), (first.index, first.label))
            self.assertAlmostEqual(float(probability), first.probability, delta=1e-6)

    def check_shared_memory(self, got, prefix, pictures):
        self.assertIn("system_shared_memory", got["extensions"])
        for way in ("shared_pixels", "shared_encoded"):
            answer_size = 4 * len(interop.COLOURS) * pictures
            shared = got[way]
            self.assertEqual(sorted(shared["registered"]), ["in", "out"])
            self.assertEqual(shared["registered"]["out"]["key"], prefix + "out")
            self.assertEqual(int(shared["registered"]["out"]["byte_size"]), 64 + answer_size)
            self.assertEqual((shared["left"], shared["cuda"]), (["out"], 0))
            self.assertIn("INVALID_ARGUMENT", shared["small"])
            self.assertIn(f"found {answer_size - 1} bytes", shared["small"])
            self.assertIn(f"at least {answer_size}", shared["small"])
            got[way] = shared["answer"]

    def check_settings(self, settings):
        self.assertEqual(settings["trace_level"], ["OFF"])
        self.assertEqual(settings["trace_off"], ["OFF"])
        self.assertIn("UNIMPLEMENTED", settings["trace_on"])
        self.assertFalse(settings["log_quiet"])
        self.assertTrue(settings["log"]["log_info"]["bool_param"])
        self.assertEqual(settings["log"]["log_format"]["string_param"], "ISO8601")
        self.assertTrue(settings["log_same"])
        self.assertIn("UNIMPLEMENTED", settings["log_file"])


if __name__ == "__main__":
    interop.main()
