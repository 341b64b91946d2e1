"""Ways to start a network and to tune it: from scratch, from inherited parameters, or frozen."""

from legatee.methods.inherit import Inherit
from legatee.methods.linear_probe import LinearProbe
from legatee.methods.method import Method
from legatee.methods.prepared import Prepared
from legatee.methods.scratch import Scratch

__all__ = ["Inherit", "LinearProbe", "Method", "Prepared", "Scratch"]
