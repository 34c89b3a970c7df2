"""Readers of public benchmark data sets, so that others' scores and ours can stand side by side.

Nothing here knows the cube: a benchmark has its own cells, its own sampling and its own labels.
"""
