"""One file for each figure: a declaration, and how its results are read."""

from pathlib import Path

_ORDER = (
    "upstream_samples",
    "universal_signal",
    "upstream_noise",
    "inheritance_ratio",
    "phase_diagram",
    "gamma_collapse",
    "growth",
    "dimension",
    "width",
    "whole_layer",
    "correlated_noise",
    "label_noise",
    "regularisation",
    "selected_inheritance",
    "activation_rule",
    "depth",
)
_FILES = {file.stem for file in Path(__file__).parent.glob("[!_]*.py")}
FIGURES = (*_ORDER, *sorted(_FILES.difference(_ORDER)))
"""Names of all figures, in the order of the page; those without a place of their own come last."""
