"""A Python client from the protos and stock tools: Train, Evaluate, Predict on a real server."""

import unittest

import interop

try:
    import grpc
except ImportError:
    interop.skip("python3-grpcio is not installed")

from fovea.v1 import classifier_pb2, classifier_pb2_grpc
from fovea.v1 import datasets_pb2, datasets_pb2_grpc
from fovea.v1 import jobs_pb2, jobs_pb2_grpc
from fovea.v1 import models_pb2, models_pb2_grpc

PER_LABEL = 40


class PythonClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(interop.Server())
        cls.channel = cls.enterClassContext(interop.channel_to(cls.server.address))
        cls.classifier = classifier_pb2_grpc.ClassifierStub(cls.channel)
        cls.summary = interop.import_colours(cls.channel, "colours", PER_LABEL)
        cls.events = interop.train_colours(cls.channel, "colours")

    def test_import_counts_every_picture(self):
        self.assertEqual(self.summary.imported, 3 * PER_LABEL, self.summary)
        dataset = datasets_pb2_grpc.DatasetsStub(self.channel).Get(
            datasets_pb2.GetDatasetRequest(name="colours"))
        self.assertEqual([label.label for label in dataset.labels], list(interop.COLOURS))
        self.assertEqual(dataset.images.train, 3 * PER_LABEL * 3 // 5)

    def test_train_streams_numbered_events_to_the_end(self):
        stored = [event.number for event in self.events if event.WhichOneof("event") != "progress"]
        self.assertEqual(stored, list(range(1, len(stored) + 1)))
        last = self.events[-1]
        self.assertEqual(last.state_change.state, jobs_pb2.JOB_STATE_SUCCEEDED, last)
        self.assertTrue(any(event.HasField("epoch") for event in self.events))
        job = jobs_pb2_grpc.JobsStub(self.channel).Get(jobs_pb2.GetJobRequest(id=last.job_id))
        self.assertEqual(job.published_version, 1)

    def test_watch_goes_on_after_an_event(self):
        last = self.events[-1]
        watched = list(jobs_pb2_grpc.JobsStub(self.channel).Watch(
            jobs_pb2.WatchJobRequest(id=last.job_id, after_event=last.number - 1)))
        self.assertEqual([event.number for event in watched], [last.number])

    def test_evaluate_measures_the_test_split(self):
        report = self.classifier.Evaluate(
            classifier_pb2.EvaluateRequest(model="colours", dataset="colours"))
        self.assertEqual(report.split, datasets_pb2.SPLIT_TEST)
        self.assertEqual(report.measures.examples, 3 * PER_LABEL // 5)
        self.assertGreaterEqual(report.measures.single_label.accuracy, 0.9)

    def test_predict_takes_encoded_and_raw_pictures(self):
        images = []
        for label in interop.COLOURS:
            rgb = interop.pixels(label, 1000)
            images.append(classifier_pb2.Image(encoded=interop.png(rgb)))
            images.append(classifier_pb2.Image(raw=classifier_pb2.RawImage(
                width=interop.SIDE, height=interop.SIDE, channels=3, pixels=rgb)))
        response = self.classifier.Predict(
            classifier_pb2.PredictRequest(model="colours", images=images, top_k=2))
        self.assertEqual(response.version, 1)
        best = [prediction.labels[0].label for prediction in response.predictions]
        self.assertEqual(best, [label for label in interop.COLOURS for _ in range(2)])
        for encoded, raw in zip(response.predictions[::2], response.predictions[1::2]):
            self.assertEqual(len(encoded.labels), 2)
            self.assertAlmostEqual(encoded.labels[0].probability, raw.labels[0].probability, 5)

    def test_model_shows_its_layers(self):
        model = models_pb2_grpc.ModelsStub(self.channel).Get(
            models_pb2.GetModelRequest(name="colours"))
        self.assertEqual(list(model.labels), list(interop.COLOURS))
        self.assertGreater(len(model.layers), 0)
        self.assertEqual(model.total_parameters, sum(l.parameters for l in model.layers))

    def test_errors_have_codes_and_name_what_was_found(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.classifier.Predict(classifier_pb2.PredictRequest(
                model="nobody", images=[classifier_pb2.Image(encoded=b"x")]))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertIn("nobody", raised.exception.details())
        with self.assertRaises(grpc.RpcError) as raised:
            self.classifier.Predict(classifier_pb2.PredictRequest(
                model="colours", images=[classifier_pb2.Image(encoded=b"no picture")]))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)


if __name__ == "__main__":
    interop.main()
