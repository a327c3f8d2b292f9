"""The stock load generator of the Open Inference Protocol, perf_analyzer, unmodified, on our server.

It comes from PyPI into a throw-away virtual environment; skipped unless FOVEA_INTEROP_PYPI is set,
PyPI can be reached and libb64 is there. It ends with an error when one request fails.
"""

import os
import struct
import tempfile
import unittest

import interop
import perf_analyzer

interop.require_pypi("tritonclient with perf_analyzer")
try:
    import grpc  # noqa: F401
except ImportError:
    interop.skip("python3-grpcio is not installed")
if perf_analyzer.missing_library():
    interop.skip(f"libb64-0d is not installed: {perf_analyzer.missing_library()}")

from fovea.v1 import classifier_pb2, classifier_pb2_grpc

SECONDS = 0.7  # for each concurrency or rate
PICTURES = [interop.png(interop.pixels(label, 4000 + i)) for label in interop.COLOURS
            for i in range(2)]


class OnColours(unittest.TestCase):
    """Has a server with a trained model `colours`, and a file of encoded pictures."""

    FLAGS = ()

    @classmethod
    def setUpClass(cls):
        cls.program = perf_analyzer.PerfAnalyzer(
            interop.virtual_environment(*perf_analyzer.PACKAGES))
        cls.server = cls.enterClassContext(interop.Server(*cls.FLAGS))
        cls.channel = cls.enterClassContext(interop.channel_to(cls.server.address))
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="fovea-interop-"))
        interop.import_colours(cls.channel, "colours", 20)
        interop.train_colours(cls.channel, "colours")
        cls.pictures = os.path.join(cls.folder, "pictures.json")
        perf_analyzer.write_pictures(cls.pictures, PICTURES)

    def run_on(self, model, *options, seconds=SECONDS):
        return self.program.run(self.server.address, model, *options, seconds=seconds)


class Load(OnColours):
    # Its segments are called after the tensors: /pixels_0_0, /probabilities.
    FLAGS = ("--shared-memory-prefix", "/")

    def check(self, measured, batch=1, outstanding=1):
        """That client and server tell the same of one load."""
        self.assertGreater(measured["requests"], 0)
        self.assertGreater(measured["images_per_second"], 0)
        self.assertAlmostEqual(measured["images_per_second"], measured["text_images_per_second"],
                               delta=0.01)  # one of them is rounded
        percentiles = [measured[f"p{each}_us"] for each in (50, 90, 95, 99)]
        self.assertGreater(percentiles[0], 0)
        self.assertEqual(percentiles, sorted(percentiles))
        # What was under way when a window began or ended is in the count of one side only.
        at_edges = 2 * perf_analyzer.WINDOWS * outstanding
        self.assertAlmostEqual(measured["server_requests"], measured["requests"], delta=at_edges)
        self.assertAlmostEqual(measured["server_images"], batch * measured["server_requests"],
                               delta=batch * at_edges)
        self.assertGreater(measured["server_runs"], 0)
        self.assertLessEqual(measured["server_runs"], measured["server_images"] + at_edges)
        self.assertGreater(measured["server_infer_us"], 0)
        phases = sum(measured[f"server_{each}_us"] for each in ("queue", "input", "infer", "output"))
        # Each is rounded down to a microsecond.
        self.assertAlmostEqual(phases + measured["server_overhead_us"], measured["server_us"],
                               delta=5 + 0.01 * measured["server_us"])
        self.assertLessEqual(measured["server_us"], 1.25 * measured["latency_us"] + 100)

    def test_pixels_by_concurrency(self):
        one, four = self.run_on("colours", "--concurrency-range", "1:4:3")
        self.assertEqual((one["level"], four["level"]), (1, 4))
        self.check(one, outstanding=1)
        self.check(four, outstanding=4)

    def test_batches_of_pixels(self):
        for more in ((), ("--async",), ("--grpc-compression-algorithm", "gzip"), ("-x", 1)):
            with self.subTest(more=more):
                side = interop.SIDE
                measured, = self.run_on("colours", "-b", 4, "--shape", f"pixels:{side},{side},3",
                                        "--concurrency-range", 2, *more)
                self.check(measured, batch=4, outstanding=2)

    def test_windows_of_so_many_requests(self):
        measured, = self.run_on("colours", "--measurement-mode", "count_windows",
                                "--measurement-request-count", 100)
        self.assertGreaterEqual(measured["requests"], 100)
        self.check(measured)

    def test_encoded_pictures(self):
        for batch in (1, 4):
            with self.subTest(batch=batch):
                measured, = self.run_on("colours_jpeg", "-b", batch, "--input-data", self.pictures,
                                        "--concurrency-range", 2)
                self.check(measured, batch=batch, outstanding=2)
                self.assertGreater(measured["server_input_us"], 0)  # decoding

    def test_streaming(self):
        for model, more in (("colours", ()), ("colours_jpeg", ("--input-data", self.pictures))):
            with self.subTest(model=model):
                measured, = self.run_on(model, "--streaming", "--concurrency-range", 4, *more)
                self.check(measured, outstanding=4)

    def test_shared_memory(self):
        for model, more in (("colours", ()), ("colours_jpeg", ("--input-data", self.pictures))):
            with self.subTest(model=model):
                measured, = self.run_on(model, "--shared-memory", "system", "-b", 2,
                                        "--concurrency-range", 2, *more)
                self.check(measured, batch=2, outstanding=2)

    def test_request_rates(self):
        for distribution in ("constant", "poisson"):
            with self.subTest(distribution=distribution):
                rates = self.run_on("colours", "--request-rate-range", "50:150:100",
                                    "--request-distribution", distribution, seconds=2)
                self.assertEqual([each["level"] for each in rates], [50, 150])
                for each in rates:
                    self.check(each, outstanding=16)
                    self.assertAlmostEqual(each["images_per_second"], each["level"],
                                           delta=0.5 * each["level"])

    def test_a_refused_picture_ends_it(self):
        pictures = os.path.join(self.folder, "refused.json")
        perf_analyzer.write_pictures(pictures, [*PICTURES, b"no picture"])
        with self.assertRaisesRegex(perf_analyzer.Failed, "no picture|picture 0"):
            self.run_on("colours_jpeg", "--input-data", pictures)


class Answers(OnColours):
    # Answers must be the expected ones bit by bit: they are where they are remembered.
    FLAGS = ("--response-cache-mib", "1")

    def answers(self):
        """Those to PICTURES, as they travel."""
        predicted = classifier_pb2_grpc.ClassifierStub(self.channel).Predict(
            classifier_pb2.PredictRequest(
                model="colours", images=[classifier_pb2.Image(encoded=each) for each in PICTURES]))
        rows = [sorted(each.labels, key=lambda label: label.index) for each in predicted.predictions]
        return [struct.pack(f"<{len(row)}f", *(label.probability for label in row)) for row in rows]

    def test_answers_are_those_of_predict(self):
        answers = self.answers()
        self.assertGreater(len(set(answers)), 1)
        right, wrong = (os.path.join(self.folder, name) for name in ("right.json", "wrong.json"))
        perf_analyzer.write_pictures(right, PICTURES, answers)
        perf_analyzer.write_pictures(wrong, PICTURES, answers[1:] + answers[:1])
        measured, = self.run_on("colours_jpeg", "--input-data", right)
        self.assertGreater(measured["requests"], len(PICTURES))
        self.assertGreater(measured["server_cache_hits"], len(PICTURES))
        with self.assertRaisesRegex(perf_analyzer.Failed, "Output doesn't match expected output"):
            self.run_on("colours_jpeg", "--input-data", wrong)


if __name__ == "__main__":
    interop.main()
