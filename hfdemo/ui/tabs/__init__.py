"""The three tabs: Run a model, See the tokens, Fine-tune."""
