"""Preprocessing: rows of data/*.csv -> model inputs, and notes on what of them is not learned or scored."""
