"""The command ``fastdl``: what it prints, what it leaves, how it fails."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import fastdl
from fastdl import backend, datasets, models, nn
from fastdl.cli import main
from fastdl.cli.outcome import Outcome
from fastdl.train import CSVLog, Trainer
