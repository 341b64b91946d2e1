"""One file for each figure: a declaration, and how its results are read."""

FIGURES = (
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
"""Names of all figures, in the order of the page."""
