"""The data sets, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastdl.datasets import cifar10, idx, npz
from fastdl.datasets.files import DataFolder
from fastdl.datasets.folder import image_folder
from fastdl.datasets.splits import Splits
from fastdl.errors import ArgumentError, suggest
from fastdl.files import as_path
from fastdl.typing import PairLike, StrPath

_LOADERS: dict[str, Callable[[DataFolder], Splits]] = {
    "cifar10": cifar10.load,
    "digits": npz.load_digits,
    "fashion_mnist": idx.load_fashion_mnist,
    "mnist": idx.load_mnist,
    "signs": npz.load_signs,
}


def names() -> list[str]:
    """Return the names that `load` knows."""
    return list(_LOADERS)


def load(
    name: str,
    directory: StrPath | None = None,
    download: bool = True,
) -> Splits:
    """Load a data set.

    ============= =============== ======= ============== ===============================
    name          train / test    classes x              files
    ============= =============== ======= ============== ===============================
    digits        3,823 / 1,797        10 8, 8, 1 f32    inside the package
    mnist         60,000 / 10,000      10 28, 28, 1 u8   four ``*-ubyte.gz``, downloaded
    fashion_mnist 60,000 / 10,000      10 28, 28, 1 u8   four ``*-ubyte.gz``, downloaded
    signs         1,080 / 120           6 64, 64, 3 u8   ``signs.npz``
    cifar10       50,000 / 10,000      10 32, 32, 3 u8   ``cifar10_images_jpg.tar.gz``
    ============= =============== ======= ============== ===============================

    If ``directory`` is given, the files are expected there. Otherwise they are looked
    for in ``$FASTDL_DATA_DIR/<name>``, if that variable is set, and then in the user's
    cache folder, ``$XDG_CACHE_HOME/fastdl/<name>`` or ``~/.cache/fastdl/<name>``. A
    file that is in neither is downloaded into the first of them and checked against its
    SHA-256. signs and cifar10 have no public address in this form and are not
    downloaded.

    cifar10 consists of JPEG files in ``train/<class>/`` and ``test/<class>/``, decoded
    once with Pillow and then kept as arrays in the user's cache folder.

    Parameters
    ----------
    name : str
        One of `names`.
    directory : path, optional
        The folder that contains the files.
    download : bool
        Whether missing files may be downloaded.

    Returns
    -------
    Splits

    Raises
    ------
    ArgumentError
        For an unknown name.
    DataError
        When a file is missing, damaged or cannot be downloaded.
    """
    if name not in _LOADERS:
        raise ArgumentError(
            f"datasets.load: unknown data set {name!r}{suggest(name, _LOADERS)}"
        )
    folder = None if directory is None else as_path(directory)
    return _LOADERS[name](DataFolder(name, folder, download))


def find(
    source: StrPath,
    data_dir: StrPath | None = None,
    size: PairLike | None = None,
    lazy: bool = False,
) -> Splits:
    """Load a data set by name, or a folder of pictures.

    Parameters
    ----------
    source : str or path
        One of `names`, or a folder for `image_folder`.
    data_dir : path, optional
        The files of a named data set are in a folder of that name in here.
    size : int or (int, int), optional
        Height and width to which the pictures of a folder are resized.
    lazy : bool
        Whether to decode the pictures of a folder when they are used.

    Raises
    ------
    ArgumentError
        It is neither of them; or `size` or `lazy` is given for a named data set.
    DataError
        It cannot be loaded.
    """
    if source in _LOADERS:
        if size is not None:
            raise ArgumentError(
                f"{source} has pictures of one size; only those of a folder are resized"
            )
        if lazy:
            raise ArgumentError(
                f"{source} fits into memory; lazy is for pictures of a folder"
            )
        return load(str(source), None if data_dir is None else Path(data_dir, source))
    if source != "" and Path(source).is_dir():
        return image_folder(source, size, lazy)
    name = str(source)
    near = suggest(name, _LOADERS) if Path(name).name == name else ""  # not of a path
    raise ArgumentError(
        f"{name!r} is neither a data set nor a folder of pictures{near}"
    )
