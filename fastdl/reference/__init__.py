"""The kernels in NumPy, as the textbook writes them.

They are what people read to learn an equation, what tests compare the compiled kernels
with, and what runs where no compiler is (``FASTDL_BACKEND=reference``).
"""

__all__: list[str] = []
