"""What every compiled kernel stands on.

`runtime` chooses the instruction set and holds the parallel loop, `schedule` notes what
its tasks take, `memory` keeps the arrays, `arrays` is the boundary to NumPy, `spans`
cuts arrays into tasks, and `table` declares the micro-kernels of csrc.
"""
