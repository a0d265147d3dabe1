"""Files: written whole or not at all, and never trusted when read."""

from fastdl import exports
from fastdl.files.damage import SMALL as SMALL
from fastdl.files.damage import Readable as Readable
from fastdl.files.damage import inflated_limit as inflated_limit
from fastdl.files.damage import naming as naming
from fastdl.files.damage import parse_json as parse_json
from fastdl.files.damage import read_file as read_file
from fastdl.files.damage import read_into as read_into
from fastdl.files.damage import read_json as read_json
from fastdl.files.damage import read_settings as read_settings
from fastdl.files.damage import read_toml as read_toml
from fastdl.files.damage import reading as reading
from fastdl.files.lock import locked as locked
from fastdl.files.path import as_path as as_path
from fastdl.files.replace import check_writable as check_writable
from fastdl.files.replace import keep_aside as keep_aside
from fastdl.files.replace import previous as previous
from fastdl.files.replace import replaced as replaced
from fastdl.files.replace import write_text as write_text
from fastdl.files.tensors import ASIDE as ASIDE
from fastdl.files.tensors import read_tensors as read_tensors
from fastdl.files.tensors import write_tensors as write_tensors

exports.publish(__name__)
