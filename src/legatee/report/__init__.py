"""Advice and its runs as one page that opens anywhere; re-rendering never re-runs anything."""
