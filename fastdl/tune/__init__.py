"""Search of hyperparameters, on Optuna (``pip install "fastdl-cpu[tune]"``)."""
