"""From a task, a model and inputs to the pipeline's own answer, and to what went on on the way."""

from hfdemo.inference.attention import AttentionMap, read_attention
from hfdemo.inference.attribution import Attribution, explain_answer
from hfdemo.inference.batch_files import FilePrediction, FileRows, can_predict_file, predict_file, read_rows
from hfdemo.inference.embedding_map import EmbeddingMap, MapPoint, map_embeddings
from hfdemo.inference.predict import SPEECH_RATE, build_need, build_pipeline, predict, stream_prediction
from hfdemo.inference.prediction import LoadProgress, PartialPrediction, Prediction, Stages
from hfdemo.inference.tracing import TokenProbability

__all__ = [
    "SPEECH_RATE",
    "AttentionMap",
    "Attribution",
    "EmbeddingMap",
    "FilePrediction",
    "FileRows",
    "LoadProgress",
    "MapPoint",
    "PartialPrediction",
    "Prediction",
    "Stages",
    "TokenProbability",
    "build_need",
    "build_pipeline",
    "can_predict_file",
    "explain_answer",
    "map_embeddings",
    "predict",
    "predict_file",
    "read_attention",
    "read_rows",
    "stream_prediction",
]
