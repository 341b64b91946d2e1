"""The reduced model: the experiment made small enough to be solved in milliseconds (ours).

Three things make it small; docs/theory.md, section 4, derives them.

* *Scale.* To leading order N and d matter only through N / d. A task of N samples in d dimensions
  is solved as one of n samples in d n / N dimensions, n at most 32; only the imbalance of its
  classes keeps its true size.
* *Hand-over.* Of the upstream network the downstream task sees the inner products of its filters,
  and what they hold of u, v1 and v2: given these, pre-activations of new patches are Gaussian.
* *Time.* The first steps are taken one by one, later ones a quarter of the time so far at once:
  everything grows like the logarithm of time.

What is left is random. A solution is a mean over replicas, in antithetic pairs, from one fixed
table of normals: the same setting always has the same solution. Nothing is fitted.
"""
