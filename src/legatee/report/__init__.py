"""Self-contained pages of advice, plans and findings; rendering a page computes nothing anew."""
