"""Where the files of data sets are, and how they get there."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fastdl.errors import DataError
from fastdl.files import Readable, replaced
from fastdl.progress import progress_bar

_LIMIT = 64 * 2**20  # bytes; the largest download is 26 MB, or 47 MB inflated
_TIMEOUT = 30.0  # seconds without a sign of life from the server
_BLOCK = 2**16


class DataFolder(NamedTuple):
    """The folders that may contain the files of one data set.

    Attributes
    ----------
    name : str
        The data set.
    directory : Path or None
        The only folder to use, or None for the usual ones.
    download : bool
        Whether a missing file may be downloaded.
    """

    name: str
    directory: Path | None
    download: bool

    @property
    def places(self) -> list[Path]:
        """The folders; downloads go into the first one."""
        if self.directory is not None:
            return [self.directory]
        places = [cache_folder() / self.name]
        if data_dir := os.environ.get("FASTDL_DATA_DIR"):
            places.insert(0, Path(data_dir) / self.name)
        return places

    def find(self, file: str, url: str | None = None, sha256: str = "") -> Path:
        """Return the path of a file; download it if it is missing.

        Parameters
        ----------
        file : str
            Its name in the folder.
        url : str, optional
            Its address; without one it is not downloaded.
        sha256 : str
            See `download`.

        Raises
        ------
        DataError
            When it is missing and cannot be downloaded.
        """
        for place in self.places:
            if (place / file).is_file():
                return place / file
        if url is not None and self.download:
            download(url, self.places[0] / file, sha256)
            return self.places[0] / file
        raise DataError(
            f"{self.name}: {file} is missing; put it into "
            + " or ".join(map(str, self.places))
            + (" (it is not downloaded)" if url is None else ", or allow the download")
        )


def cache_folder() -> Path:
    """Return the folder for what can always be downloaded or computed again."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "fastdl"


def download(url: str, path: Path, sha256: str, limit: int = _LIMIT) -> None:
    """Download a gzip file.

    Parameters
    ----------
    url : str
        Its address.
    path : Path
        The file to write; it appears only once it is complete and correct.
    sha256 : str
        Of the *inflated* content, in hexadecimal, because mirrors compress it in
        different ways.
    limit : int
        The most bytes to accept, both compressed and inflated.

    Raises
    ------
    DataError
        When the server cannot be reached or refuses, the body is cut off, too
        large or has the wrong hash, or the file cannot be written.
    """
    from http.client import HTTPException  # slow to import
    from urllib.error import HTTPError

    try:
        with replaced(path) as file:
            _receive(url, file, path.name, limit)
            file.seek(0)
            with gzip.open(file) as inflated:
                if sha256_of(inflated, limit) != sha256:
                    raise DataError("its content has the wrong SHA-256")
    except (OSError, EOFError, zlib.error, HTTPException, DataError) as why:
        if isinstance(why, HTTPError):
            why.close()  # it holds the connection
        raise DataError(
            f"{path.name}: download from {url} failed: {why}; the file can also be "
            f"put into {path.parent} by hand"
        ) from why


def _receive(url: str, file: BinaryIO, name: str, limit: int) -> None:
    from urllib.request import urlopen  # slow to import

    with urlopen(url, timeout=_TIMEOUT) as response:
        total = response.length  # None if the server does not say
        received = 0
        with progress_bar(
            desc=name, total=total, unit="B", unit_scale=True
        ) as progress:
            while block := response.read(_BLOCK):
                received += len(block)
                if received > limit:
                    raise DataError(f"it is larger than {limit} bytes")
                file.write(block)
                progress.update(len(block))
    if total is not None and received < total:
        raise DataError(f"cut off after {received} of {total} bytes")


def sha256_of(file: Readable, limit: float = math.inf) -> str:
    """Return the SHA-256 of an open file, in hexadecimal.

    Raises
    ------
    DataError
        It has more than `limit` bytes.
    """
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        size += len(block)
        if size > limit:
            raise DataError(f"it inflates to more than {limit} bytes")
        digest.update(block)
    return digest.hexdigest()
