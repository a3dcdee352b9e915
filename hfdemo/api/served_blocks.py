"""gradio's Blocks, whose refusal of values that do not fit is a sentence."""

from __future__ import annotations

from typing import Any

import gradio as gr

from hfdemo.api.error_boundary import raise_refusal, raise_to_client


class ServedBlocks(gr.Blocks):
    """A page whose functions get as many values as they take, and only such as their components can read."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **kwargs: Any) -> Any:
        """Read what a client sent for a function, component by component.

        Raises:
            Error: too few or too many values, or one that a component can't read, such as a forged file.
        """
        takes, name = len(block_fn.inputs), block_fn.api_name or block_fn.name
        # What cancels others is sent one value more than it takes.
        if len(inputs) < takes or (len(inputs) > takes and not block_fn.cancels):
            raise_to_client(f"{name} takes {takes} values, but {len(inputs)} were sent.")
        try:
            return await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except Exception as error:
            raise_refusal(f"These values are not what {name} takes.", error)
