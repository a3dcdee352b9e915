"""Where models and tokenizers are: in this process, or in a child that can be ended at any moment.

inline       the calls are made here: on ZeroGPU, and in tests that are to be fast; an engine as one owner may use it
process      the calls go to a worker: cancelled, ended, started anew and asked again
worker       the child: it holds the models and does what it is asked to, each call in a thread
zygote       the process that has imported the libraries, and forks workers that have them at once
messages     what goes over the wire between the two: plain values, and nothing that runs as code here
"""

from hfdemo.engine.inline import Engine, InlineEngine, OwnedEngine
from hfdemo.engine.process import ProcessEngine

__all__ = ["Engine", "InlineEngine", "OwnedEngine", "ProcessEngine"]
