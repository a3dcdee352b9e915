"""The first page asks for everything at once; no thread may meet a library that is half imported."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

CODE = """
import threading
from hfdemo.lazy_imports import import_libraries

errors = []

def need_it():
    try:
        import_libraries()
        from transformers import AutoConfig, AutoTokenizer, pipeline
    except Exception as error:
        errors.append(error)

threads = [threading.Thread(target=need_it) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(errors)
"""


@pytest.mark.slow
def test_six_threads_can_ask_for_the_libraries_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
