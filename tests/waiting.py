"""Waiting for something to happen, with a deadline."""

import time


def until(condition, seconds=60.0, pause=0.01):
    """Wait until ``condition()`` is true, and return what it returned; fail after a while."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(pause)
    return result
