"""The pipelines of the tiny models, shared by the tests of the rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def load(zoo: Callable[[str], Path]) -> Callable[[str], Any]:
    """The pipeline of a tiny model, made when first asked for."""
    from transformers import pipeline

    made: dict[str, Any] = {}

    def loaded(key: str) -> Any:
        if key not in made:
            made[key] = pipeline(key.partition("/")[0], model=str(zoo(key)), device="cpu")
        return made[key]

    return loaded
