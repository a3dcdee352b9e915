"""The rows whose input is a picture or a video: what is called, and that the Auto-class form gives the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfdemo.errors import DemoError
from hfdemo.tasks import TASKS, vision
from hfdemo.tasks.task import TORCHVISION, Task

ROWS = {task.name: task for task in vision.TASKS if task.has_pipeline}
Load = Callable[[str], Any]


def picture(seed: int = 0, size: tuple[int, int] = (60, 80)) -> Image.Image:
    """Pixels at random, height and width."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))


def film(path: Path, frames: int = 40) -> str:
    """A video of growing light."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for light in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 5 * light, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """A value for every input, decoded as the app would."""
    video = film(tmp_path_factory.mktemp("films") / "light.mp4")
    return {"image": picture(), "image_2": picture(1), "video": video}


def defaults(task: Task) -> dict[str, Any]:
    return {field.name: field.default for field in task.parameters}


def loaded_from(pipe: Any) -> Any:
    """What the app hands to `explain` and `narrow`."""
    return SimpleNamespace(ref="tiny", model=pipe.model, processors={"image_processor": pipe.image_processor})


def assert_same(ours: Any, theirs: Any) -> None:
    """Equal: numbers to 1e-5, pictures to the pixel."""
    import torch

    if isinstance(theirs, Image.Image):
        assert ours.mode == theirs.mode
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    elif isinstance(theirs, torch.Tensor):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    elif isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    elif isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for name in theirs:
            assert_same(ours[name], theirs[name])
    elif isinstance(theirs, list | tuple) and theirs and isinstance(theirs[0], float):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)
    elif isinstance(theirs, list | tuple):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            assert_same(mine, other)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)
    else:
        assert ours == theirs


CASES: list[tuple[str, dict[str, Any]]] = [
    ("image-classification", {}),
    ("image-classification", {"top_k": 2}),
    *(("image-classification", {"function_to_apply": each}) for each in ("softmax", "sigmoid", "none")),
    ("object-detection", {}),
    ("object-detection", {"threshold": 0.0}),
    ("image-segmentation", {}),
    ("image-segmentation", {"subtask": "semantic"}),
    ("depth-estimation", {}),
    ("image-feature-extraction", {}),
    ("image-feature-extraction", {"pool": True}),
    ("image-feature-extraction", {"image_processor_kwargs": {"do_normalize": False}}),
    ("keypoint-matching", {}),
    ("keypoint-matching", {"threshold": 0.05}),
    ("video-classification", {}),
    ("video-classification", {"top_k": 1}),
    ("video-classification", {"frame_sampling_rate": 3}),
    *(("video-classification", {"function_to_apply": each}) for each in ("softmax", "sigmoid", "none")),
]


@pytest.mark.parametrize(("name", "changed"), CASES)
def test_auto_class_form_gives_what_the_pipeline_gives(
    load: Load, inputs: Mapping[str, Any], name: str, changed: dict[str, Any]
) -> None:
    task, pipe = ROWS[name], load(name)
    given = {field.name: inputs[field.name] for field in task.inputs}
    parameters = defaults(task) | changed
    call = task.call(given, parameters)
    theirs = pipe(*call.args, **call.kwargs)
    assert theirs
    assert_same(task.auto_class_form(pipe.model, pipe.image_processor, **given, **parameters), theirs)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"subtask": "instance", "threshold": 0.0},
        {"threshold": 0.0, "mask_threshold": 0.2},
        {"threshold": 0.0, "overlap_mask_area_threshold": 0.99},
        {"subtask": "semantic"},
    ],
)
def test_segments_of_things_are_the_pipelines_too(load: Load, changed: dict[str, Any]) -> None:
    task, pipe = ROWS["image-segmentation"], load("image-segmentation/panoptic")
    parameters = defaults(task) | changed
    call = task.call({"image": picture()}, parameters)
    theirs = pipe(*call.args, **call.kwargs)
    assert theirs
    assert_same(task.auto_class_form(pipe.model, pipe.image_processor, image=picture(), **parameters), theirs)


def test_masks_are_the_pipelines_where_torchvision_is_installed_and_missed_where_not(load: Load) -> None:
    task, pipe = ROWS["mask-generation"], load("mask-generation")
    if TORCHVISION.missing():  # the row's sentence is for this, which comes only after the whole forward pass
        with pytest.raises(ImportError, match="Torchvision"):
            pipe(picture(), pred_iou_thresh=-100.0, stability_score_thresh=-1.0, points_per_crop=4)
        return
    everything = {"pred_iou_thresh": -100.0, "stability_score_thresh": -1.0, "points_per_crop": 4}
    for changed in ({}, {"points_per_batch": 5}, {"crops_n_layers": 1}, {"output_bboxes_mask": True}):
        parameters = defaults(task) | everything | changed
        call = task.call({"image": picture()}, parameters)
        theirs = pipe(*call.args, **call.kwargs)
        assert len(theirs["masks"]) > 0
        assert_same(task.auto_class_form(pipe.model, pipe.image_processor, image=picture(), **parameters), theirs)


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_only_what_was_set_is_passed(task: Task) -> None:
    given = {field.name: object() for field in task.inputs}
    assert task.call(given, defaults(task)).kwargs == {}
    for field in task.parameters:
        set_to = {"choice": field.choices[:1], "flag": (True,), "json": ({"size": 8},)}.get(field.kind, (1,))[0]
        assert task.call(given, defaults(task) | {field.name: set_to}).kwargs == {field.name: set_to}


def test_zero_is_a_threshold_and_not_nothing() -> None:
    assert ROWS["object-detection"].call({"image": None}, {"threshold": 0.0}).kwargs == {"threshold": 0.0}


@pytest.mark.parametrize("name", ["image-classification", "video-classification"])
@pytest.mark.parametrize("function", [None, "softmax", "sigmoid", "none"])
@pytest.mark.parametrize("problem", [None, "multi_label_classification", "regression"])
def test_the_explanation_has_the_scores_of_the_answer(
    load: Load, inputs: Mapping[str, Any], name: str, function: str | None, problem: str | None
) -> None:
    import torch

    task, pipe = ROWS[name], load(name)
    assert task.explain is not None
    given = {field.name: inputs[field.name] for field in task.inputs}
    parameters = defaults(task) | {"function_to_apply": function}
    call = task.call(given, parameters)
    before, pipe.model.config.problem_type = pipe.model.config.problem_type, problem
    try:
        answer = pipe(*call.args, **call.kwargs)
        tensors = dict(pipe.preprocess(call.args[0]))
        with torch.no_grad():
            outputs = dict(pipe.model(**tensors))
        explanation = task.explain(loaded_from(pipe), tensors, outputs, parameters)
    finally:
        pipe.model.config.problem_type = before
    assert explanation is not None
    assert [row[0] for row in explanation.rows] == [each["label"] for each in answer]
    assert [row[2] for row in explanation.rows] == pytest.approx([each["score"] for each in answer])
    assert sorted(row[1] for row in explanation.rows) == pytest.approx(sorted(outputs["logits"][0].tolist()))


def explained(task: Task, pipe: Any, inputs: Mapping[str, Any], **changed: Any) -> tuple[Any, Any]:
    """The pipeline's answer, and the rows of the explanation of the same call; other tensors are not explained."""
    import torch

    assert task.explain is not None
    given = {field.name: inputs[field.name] for field in task.inputs}
    parameters = defaults(task) | changed
    call = task.call(given, parameters)
    tensors = dict(pipe.image_processor(images=list(given.values()), return_tensors="pt"))
    with torch.no_grad():
        outputs = dict(pipe.model(**tensors))
    loaded = loaded_from(pipe)
    assert task.explain(loaded, tensors, {"other": torch.zeros(1)}, parameters) is None
    explanation = task.explain(loaded, tensors, outputs, parameters)
    assert explanation is not None
    assert 0 < len(explanation.rows) <= 12
    assert {len(row) for row in explanation.rows} == {len(explanation.columns)}
    return pipe(*call.args, **call.kwargs), explanation.rows


def test_the_queries_explained_are_the_boxes_answered(load: Load, inputs: Mapping[str, Any]) -> None:
    answer, rows = explained(ROWS["object-detection"], load("object-detection"), inputs, threshold=0.0)
    best = sorted(answer, key=lambda each: -each["score"])[: len(rows)]
    assert [(row[1], row[2]) for row in rows] == [(each["label"], pytest.approx(each["score"])) for each in best]
    middle, width = rows[0][3], rows[0][5]
    assert best[0]["box"]["xmin"] == int((middle - width / 2) * inputs["image"].width)


def test_the_labels_explained_are_those_of_the_pixels(load: Load, inputs: Mapping[str, Any]) -> None:
    answer, rows = explained(ROWS["image-segmentation"], load("image-segmentation"), inputs)
    areas = {each["label"]: np.asarray(each["mask"]).mean() / 255 for each in answer}
    assert sum(row[1] for row in rows) == pytest.approx(1)
    for label, share, _ in rows:
        assert share == pytest.approx(areas.get(label, 0), abs=0.15)


def test_the_queries_explained_are_the_segments_answered(load: Load, inputs: Mapping[str, Any]) -> None:
    pipe = load("image-segmentation/panoptic")
    answer, rows = explained(ROWS["image-segmentation"], pipe, inputs, threshold=0.0)
    assert rows[0][1] in {each["label"] for each in answer}
    assert [row[2] for row in rows] == sorted((row[2] for row in rows), reverse=True)


def test_the_depths_explained_span_those_answered(load: Load, inputs: Mapping[str, Any]) -> None:
    answer, rows = explained(ROWS["depth-estimation"], load("depth-estimation"), inputs)
    depth, shown = answer["predicted_depth"], dict(rows)
    assert shown["mean"] == pytest.approx(float(depth.mean()), rel=0.02)
    spread = shown["largest"] - shown["smallest"]
    assert shown["smallest"] == pytest.approx(float(depth.min()), abs=0.3 * spread)
    assert shown["largest"] == pytest.approx(float(depth.max()), abs=0.3 * spread)


def test_the_matches_explained_are_the_surest_answered(load: Load, inputs: Mapping[str, Any]) -> None:
    answer, rows = explained(ROWS["keypoint-matching"], load("keypoint-matching"), inputs)
    assert [row[2] for row in rows] == pytest.approx([each["score"] for each in answer[: len(rows)]], abs=1e-5)


@pytest.mark.parametrize("pool", [False, True])
def test_the_vectors_explained_are_those_answered(load: Load, inputs: Mapping[str, Any], pool: bool) -> None:
    answer, rows = explained(ROWS["image-feature-extraction"], load("image-feature-extraction"), inputs, pool=pool)
    vectors = np.atleast_2d(np.squeeze(np.array(answer), 0) if np.ndim(answer) == 3 else answer)[:12]
    assert [row[1] for row in rows] == pytest.approx(np.linalg.norm(vectors, axis=1).tolist(), rel=1e-4)
    assert [row[2] for row in rows] == pytest.approx(vectors[:, 0].tolist(), rel=1e-4, abs=1e-5)


def test_a_picture_can_not_be_asked_to_become_very_large() -> None:
    with pytest.raises(DemoError, match="at most 1024"):
        ROWS["image-feature-extraction"].call(
            {"image": None}, {"image_processor_kwargs": {"size": {"height": 1025, "width": 8}}}
        )


def test_every_number_of_every_row_is_bounded() -> None:
    for task in TASKS.values():
        for field in task.fields:
            if field.kind == "number":
                assert field.maximum is not None, (task.name, field.name)
            if field.name == "num_beams":
                assert field.maximum is not None
                assert field.maximum <= 16, task.name


def test_a_model_that_labels_pixels_takes_no_threshold_and_no_other_subtask(load: Load) -> None:
    task = ROWS["image-segmentation"]
    fields = {field.name: field for field in task.parameters_for(loaded_from(load("image-segmentation")))}
    assert set(fields) == {"subtask"}
    assert fields["subtask"].choices == ("semantic",)


def test_a_model_that_finds_things_takes_every_parameter(load: Load) -> None:
    task = ROWS["image-segmentation"]
    assert task.parameters_for(loaded_from(load("image-segmentation/panoptic"))) == task.parameters


def test_a_model_with_a_place_for_each_frame_takes_no_other_number_of_frames(load: Load) -> None:
    task = ROWS["video-classification"]
    names = [field.name for field in task.parameters_for(loaded_from(load("video-classification")))]
    assert "num_frames" not in names
    assert "frame_sampling_rate" in names


@pytest.mark.parametrize("name", [task.name for task in ROWS.values() if task.is_batchable])
def test_rows_that_batch_answer_the_same_together_as_alone(load: Load, name: str) -> None:
    task, pipe = ROWS[name], load(name)
    pictures = [picture(0), picture(1, (90, 40))]
    call = task.call({"image": None}, defaults(task))
    assert_same(pipe(pictures, batch_size=2, **call.kwargs), [pipe(each, **call.kwargs) for each in pictures])


def test_the_pipeline_takes_width_for_height_when_it_matches_pictures(load: Load) -> None:
    """The help of this row says so; when this fails, the library is mended and the help can go."""
    pipe = load("keypoint-matching")
    tall = (picture(0, (90, 30)), picture(1, (90, 30)))
    points = [match["keypoint_image_0"] for match in pipe(tall)]
    assert max(point["x"] for point in points) > 30
    assert max(point["y"] for point in points) < 30


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_every_example_passes_the_checks_of_its_fields(task: Task) -> None:
    for example in task.examples:
        inputs, parameters = task.check(example, 1000)
        assert {**inputs, **parameters}.items() >= example.items()


@pytest.mark.parametrize("task", ROWS.values(), ids=ROWS)
def test_classes_are_those_that_transformers_gives_the_pipeline(task: Task) -> None:
    from transformers.pipelines import SUPPORTED_TASKS

    # The pipeline takes what `config.architectures` names where its own classes know no such model.
    more = {"image-segmentation": ("AutoModelForUniversalSegmentation",)}.get(task.name, ())
    assert task.classes == (*(each.__name__ for each in SUPPORTED_TASKS[task.name]["pt"]), *more)
