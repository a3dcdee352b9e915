"""Each task with the Auto classes alone: people copy one of these, so each runs from its own source alone."""
