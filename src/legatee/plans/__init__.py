"""A transfer as data: what was planned and what was done, without a single weight."""
