"""From a task, a model and inputs to the pipeline's own answer, and to what went on on the way."""

from hfdemo.inference.batch_files import FilePrediction, predict_file, takes_files
from hfdemo.inference.predict import SPEECH_RATE, need_of, pipeline_for, predict, stream
from hfdemo.inference.prediction import Loading, Partial, Prediction, Stages
from hfdemo.inference.tracing import TokenProbability

__all__ = [
    "SPEECH_RATE",
    "FilePrediction",
    "Loading",
    "Partial",
    "Prediction",
    "Stages",
    "TokenProbability",
    "need_of",
    "pipeline_for",
    "predict",
    "predict_file",
    "stream",
    "takes_files",
]
