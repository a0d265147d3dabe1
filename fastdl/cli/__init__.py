"""The command ``fastdl``."""

from fastdl import exports
from fastdl.cli.main import main as main

exports.publish(__name__)
