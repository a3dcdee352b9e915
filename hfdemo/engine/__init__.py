"""Where models and tokenizers are: in this process, or in a child that can be ended at any moment.

inline       the calls are made here: on ZeroGPU, and in tests that are to be fast; an engine as one owner may use it
process      the calls go to a worker: cancelled, ended, started anew and asked again
worker       the child: it holds the models and does what it is asked to, each call in a thread
zygote       the process that has imported the libraries, and forks workers and trainings that have them at once
messages     what goes over the wire between the two: plain values, and nothing that runs as code here
"""

import os
import sys
from collections.abc import Mapping

from hfdemo.engine.inline import Child, Engine, InlineEngine, OwnedEngine, start_program
from hfdemo.engine.process import ProcessEngine
from hfdemo.settings import Settings

__all__ = ["Child", "Engine", "InlineEngine", "OwnedEngine", "ProcessEngine", "start_engine", "start_program"]


def start_engine(settings: Settings, environment: Mapping[str, str] = os.environ) -> Engine:
    """Start the engine of a server: a child that has the models, where there can be one.

    On ZeroGPU a model has to be in the process that asks for the GPU, and Windows passes no socket to a child.
    """
    if sys.platform == "win32" or environment.get("SPACES_ZERO_GPU"):
        return InlineEngine(settings)
    return ProcessEngine(settings)
