"""Who does long work: processes, a Dask cluster or any executor."""
