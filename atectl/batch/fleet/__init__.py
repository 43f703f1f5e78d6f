"""A batch over many machines: hosts that take jobs, and a submitter that hands them out.

Dask carries the messages and knows which hosts there are; `link` and `joining` alone import it.
"""
