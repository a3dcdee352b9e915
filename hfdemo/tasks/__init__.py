"""What can be run: the rows, in the order in which the page offers them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from hfdemo.errors import DemoError
from hfdemo.tasks import (
    audio,
    fill_mask,
    generation,
    multimodal,
    question_answering,
    sequence_to_sequence,
    text,
    vision,
)
from hfdemo.tasks.field import MEDIA, REQUIRED, Field, check_text
from hfdemo.tasks.task import GROUPS, PROCESSORS, Explanation, PipelineCall, Requirement, Task, TextPair

_FAMILIES = (text, fill_mask, generation, sequence_to_sequence, question_answering, vision, audio, multimodal)
_ROWS = sorted((row for family in _FAMILIES for row in family.TASKS), key=lambda row: GROUPS.index(row.group))
TASKS: Mapping[str, Task] = MappingProxyType({row.name: row for row in _ROWS})

__all__ = [
    "MEDIA",
    "PROCESSORS",
    "REQUIRED",
    "TASKS",
    "Explanation",
    "Field",
    "PipelineCall",
    "Requirement",
    "Task",
    "TextPair",
    "can_load",
    "check_text",
    "find_task",
    "find_task_for_architectures",
    "list_names",
]


def find_task_for_architectures(architectures: Sequence[str]) -> tuple[Task, str]:
    """Return the task that a checkpoint with these `config.architectures` was made for, and why.

    The first row wins whose Auto classes know the architecture; bare backbones (AutoModel) come last, and one that no
    tokenizer goes with gives image features.
    """
    from hfdemo.lazy_imports import import_libraries

    import_libraries()
    import transformers
    from transformers.models.auto import image_processing_auto, tokenization_auto

    # A class that a row names first tells more than one that it names as a last resort.
    ranked = sorted(
        ((name == "AutoModel", rank, task, name) for task in TASKS.values() for rank, name in enumerate(task.classes)),
        key=lambda each: each[:2],
    )
    for architecture in architectures:
        for bare, _, task, name in ranked:
            kinds = _model_types(getattr(transformers, name), architecture)
            if not kinds:
                continue
            if not bare:
                return task, f"its config names the architecture {architecture}"
            seen = kinds & set(image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES)
            read = kinds & set(tokenization_auto.TOKENIZER_MAPPING_NAMES)
            row = TASKS["image-feature-extraction" if seen and not read else "feature-extraction"]
            return row, f"its config names the architecture {architecture}, which has no head"
    named = ", ".join(architectures) or "none"
    return TASKS["feature-extraction"], f"its config names no architecture with a known head ({named})"


def can_load(task: Task, model_type: str, architectures: Sequence[str]) -> bool:
    """Say whether a checkpoint of this type, saved as one of these architectures, has what the model of `task` has.

    What a task loads as a backbone (AutoModel) every checkpoint of a type with the same processors has.
    """
    from hfdemo.lazy_imports import import_libraries

    import_libraries()
    import transformers
    from transformers.models.auto import feature_extraction_auto, image_processing_auto, tokenization_auto

    if "AutoModel" not in task.classes:
        classes = [getattr(transformers, name) for name in task.classes]
        return any(_model_types(each, architecture) for each in classes for architecture in architectures)
    known = {
        "tokenizer": tokenization_auto.TOKENIZER_MAPPING_NAMES,
        "image_processor": image_processing_auto.IMAGE_PROCESSOR_MAPPING_NAMES,
        "feature_extractor": feature_extraction_auto.FEATURE_EXTRACTOR_MAPPING_NAMES,
    }
    has = {name for name, types in known.items() if model_type in types}
    return model_type in transformers.AutoModel._model_mapping._model_mapping and has == set(task.processors)


def _model_types(auto_class: object, architecture: str) -> set[str]:
    """Return the model types for which `auto_class` would make an `architecture`."""
    mapping = auto_class._model_mapping._model_mapping  # type: ignore[attr-defined]
    made = ((kind, names if isinstance(names, tuple | list) else (names,)) for kind, names in mapping.items())
    return {kind for kind, names in made if architecture in names}


# Other names that the Hub and the library have for some of them.
_ALIASES = {
    "sentiment-analysis": "text-classification",
    "ner": "token-classification",
    "vqa": "visual-question-answering",
    "text-to-speech": "text-to-audio",
    "sentence-similarity": "feature-extraction",
}


def find_task(name: str) -> Task:
    """Find the row called `name`, or by another of its names.

    Raises:
        DemoError: there is none; the message lists those that exist.
    """
    name = _ALIASES.get(name, name)
    if name not in TASKS:
        raise DemoError(f"There is no task {name!r}. There are: {', '.join(TASKS)}.")
    return TASKS[name]


def list_names(task: Task) -> list[str]:
    """List the names by which `find_task` finds a row, its own first."""
    return [task.name, *(alias for alias, name in _ALIASES.items() if name == task.name)]
