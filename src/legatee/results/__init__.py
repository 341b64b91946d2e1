"""Labelled results on disk, laid out before they exist and filled one unit of work at a time."""

from legatee.results.layout import DONE, Layout, Unit, Variable
from legatee.results.read import check, identity_of, load
from legatee.results.store import Store

__all__ = ["DONE", "Layout", "Store", "Unit", "Variable", "check", "identity_of", "load"]
