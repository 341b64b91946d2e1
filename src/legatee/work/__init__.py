"""Running many independent tasks: on local processes, a Dask cluster or any executor."""
