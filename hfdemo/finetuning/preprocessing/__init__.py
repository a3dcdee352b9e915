"""Preprocessing: the rows of a run's data as model inputs.

encoding      data/*.csv as Arrow data sets, and what of them is not learned or evaluated
token_counts  how many tokens the rows of a data set have
"""
