"""Metrics through evaluate: our own modules from disk, and others from a path or the Hub."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hfdemo.errors import DemoError
from hfdemo.finetuning.config import RunConfig
from hfdemo.finetuning.evaluation.compute_metrics import check_extra, check_selection_metric, make_compute_metrics
from hfdemo.finetuning.kinds import KINDS
from tests import forked
from tests.clock import quiet_time
from tests.conftest import ROOT
from tests.finetuning.kinds.samples import sample_of

LOGITS = np.array([[2.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]], np.float32)

OTHER = """
import datasets
import evaluate

class {name}(evaluate.Metric):
    def _info(self):
        value = {feature}
        features = datasets.Features({{"predictions": value, "references": value}})
        return evaluate.MetricInfo(description="", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references):
        return {result}
"""


def predicted(logits: Any, references: Any) -> SimpleNamespace:
    return SimpleNamespace(predictions=np.asarray(logits), label_ids=references)


def write(folder: Path, name: str, result: str, feature: str = 'datasets.Value("int64")') -> str:
    path = folder / name / f"{name}.py"
    path.parent.mkdir()
    path.write_text(OTHER.format(name=name.capitalize(), feature=feature, result=result), encoding="utf-8")
    return str(path.parent)


@pytest.mark.parametrize("kind", KINDS)
def test_what_evaluate_computes_is_what_the_plain_function_computes_each_time(kind: str) -> None:
    sample, logits, references = sample_of(kind)
    labels = list(sample.labels)
    positive = "yes" if kind == "single_label" else None
    compute = make_compute_metrics(KINDS[kind], labels, positive, ())
    expected = KINDS[kind].evaluator.scores(logits, references, labels, positive)
    assert KINDS[kind].evaluator.selection in expected
    assert set(KINDS[kind].evaluator.names) == expected.keys()
    for _ in range(2):
        assert compute(predicted(logits, references)) == expected


def test_further_metrics_stand_beside_our_own_and_never_in_their_place(tmp_path: Path) -> None:
    mine = write(tmp_path, "wrong", '{"wrong": sum(p != r for p, r in zip(predictions, references)), "text": "no"}')
    same = write(tmp_path, "accuracy", '{"accuracy": -1.0}')
    found = make_compute_metrics(KINDS["single_label"], ["no", "yes"], None, (mine, same))(
        predicted(LOGITS, np.array([0, 1, 1, 0]))
    )
    assert found == {"accuracy": 0.5, "f1": 0.5, "f1_weighted": 0.5, "wrong": 2.0, "extra_accuracy": -1.0}


def test_further_metrics_of_tokens_read_tags(tmp_path: Path) -> None:
    feature = 'datasets.List(datasets.Value("string"))'
    people = write(tmp_path, "people", '{"people": sum(row.count("B-PER") for row in references)}', feature)
    sample, logits, references = sample_of("tokens")
    found = make_compute_metrics(KINDS["tokens"], sample.labels, None, (people,))(predicted(logits, references))
    assert found["people"] == 4.0


def test_a_metric_to_be_best_in_that_nothing_computes_is_refused_at_once(tmp_path: Path) -> None:
    mine = write(tmp_path, "wrong", '{"wrong": 1.0, "f1": 0.0, "text": "no"}')
    kind = KINDS["single_label"]
    scores = make_compute_metrics(kind, ["no", "yes"], None, (mine,))
    for name in ("loss", "eval_f1", "wrong", "extra_f1"):
        check_selection_metric(RunConfig("x", training={"metric_for_best_model": name}), kind.evaluator, scores.extra)
    for name in ("acuracy", "text"):
        asked = RunConfig("x", training={"metric_for_best_model": name})
        with pytest.raises(DemoError, match=f"is {name!r}, but the metrics are loss, accuracy, f1, f1_weighted, wrong"):
            check_selection_metric(asked, kind.evaluator, scores.extra)


def test_a_metric_that_does_not_fit_is_known_before_training(tmp_path: Path) -> None:
    broken = write(tmp_path, "broken", '{"broken": 1 / 0}')
    with pytest.raises(DemoError, match="can't be computed on these predictions: division by zero"):
        make_compute_metrics(KINDS["single_label"], ["no", "yes"], None, (broken,))
    texts = write(tmp_path, "texts", '{"texts": 1.0}', 'datasets.Value("string")')
    with pytest.raises(DemoError, match="can't be computed"):
        make_compute_metrics(KINDS["regression"], [], None, (texts,))
    with pytest.raises(DemoError, match="judged by its loss"):
        make_compute_metrics(KINDS["language"], [], None, (broken,))


def test_a_metric_whose_code_fails_or_is_missing_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "needy.py"
    path.write_text("import no_such_library\n", encoding="utf-8")
    with pytest.raises(DemoError, match=r"needy.py' can't be loaded: .*no_such_library"):
        make_compute_metrics(KINDS["single_label"], ["no", "yes"], None, (str(path),))
    with pytest.raises(DemoError, match="There is no metric at"):
        check_extra(["./nowhere"], public=False)
    with pytest.raises(DemoError, match="is no metric"):
        check_extra(["a b"], public=False)


@pytest.mark.parametrize("name", ["accuracy", "/tmp/accuracy"])
def test_a_public_server_runs_no_code_of_others(name: str) -> None:
    with pytest.raises(DemoError, match="shared server"):
        check_extra([name], public=True)


def test_without_a_network_a_metric_of_the_hub_is_refused_at_once() -> None:
    import evaluate  # noqa: F401  what it takes to import is not meant

    started = quiet_time()
    with pytest.raises(DemoError, match="can't be reached from here"):
        check_extra(["matthews_correlation"], public=False)
    assert quiet_time() - started < 3


@contextmanager
def hub(spaces: dict[str, bytes]) -> Iterator[str]:
    """A Hub that knows no models, and these files of Spaces by their path."""

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            body = spaces.get(self.path.split("?")[0])
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.send_header("ETag", '"1"')
            if body is None and self.path.startswith("/api/"):
                self.send_header("X-Error-Code", "RepoNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_ASK = """
import json, sys
import numpy as np
from types import SimpleNamespace
from hfdemo.errors import DemoError
from hfdemo.finetuning.evaluation.compute_metrics import make_compute_metrics
from hfdemo.finetuning.kinds import KINDS

for name in sys.argv[1:]:
    try:
        compute = make_compute_metrics(KINDS["single_label"], ["no", "yes"], None, (name,))
        answer = compute(SimpleNamespace(predictions=np.eye(2), label_ids=np.array([0, 1])))
    except DemoError as error:
        answer = str(error)
    print(json.dumps(answer))
"""


@pytest.mark.slow
def test_with_a_network_a_metric_of_the_hub_is_computed(tmp_path: Path) -> None:
    script = OTHER.format(name="Hits", feature='datasets.Value("int64")', result='{"hits": 2}').encode()
    with hub({"/spaces/evaluate-metric/hits/resolve/main/hits.py": script}) as address:
        environment = {
            **os.environ,
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path),
            "HF_MODULES_CACHE": str(tmp_path / "modules"),
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
        }
        done = forked.run(["-c", _ASK, "hits", "no_such_metric"], cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found, refused = [json.loads(line) for line in done.stdout.splitlines()]
    assert found["hits"] == 2.0
    assert found["accuracy"] == 1.0
    assert refused.startswith("The metric 'no_such_metric' can't be loaded: Couldn't find a module")
