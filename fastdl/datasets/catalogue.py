"""The data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastdl.datasets import cifar10, idx, npz
from fastdl.datasets.files import DataFolder
from fastdl.datasets.images import image_folder
from fastdl.datasets.splits import Splits
from fastdl.errors import ArgumentError, suggest
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

    ============= ============== ====== ============ ===============================
    name          train / test   class. x            files
    ============= ============== ====== ============ ===============================
    digits        3,823 / 1,797      10 8, 8, 1 f32  inside the package
    mnist         60,000 / 10,000    10 28, 28, 1 u8 four ``*-ubyte.gz``, downloaded
    fashion_mnist 60,000 / 10,000    10 28, 28, 1 u8 four ``*-ubyte.gz``, downloaded
    signs         1,080 / 120         6 64, 64, 3 u8 ``signs.npz``
    cifar10       50,000 / 10,000    10 32, 32, 3 u8 ``cifar10_images_jpg.tar.gz``
    ============= ============== ====== ============ ===============================

    The files are looked for in ``directory`` alone when it is given; else in
    ``$FASTDL_DATA_DIR/<name>``, when that variable is set, then in the user's cache
    folder, ``$XDG_CACHE_HOME/fastdl/<name>`` or ``~/.cache/fastdl/<name>``. A file
    that is in none of them is downloaded into the first of them, checked by its
    SHA-256. signs and cifar10 have no public address in this form and are not
    downloaded.

    cifar10 are JPEG files in ``train/<class>/`` and ``test/<class>/``, decoded with
    Pillow once and then kept as arrays in the user's cache folder.

    Parameters
    ----------
    name : str
        One of `names`.
    directory : path, optional
        The folder that holds the files themselves.
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
    folder = None if directory is None else Path(directory)
    return _LOADERS[name](DataFolder(name, folder, download))


def find(
    source: StrPath,
    data_dir: StrPath | None = None,
    size: PairLike | None = None,
) -> Splits:
    """Load a data set by its name, or a folder of pictures.

    Parameters
    ----------
    source : str or path
        One of `names`, or a folder for `image_folder`.
    data_dir : path, optional
        Holds the files of a data set with a name, in a folder of that name.
    size : int or (int, int), optional
        Height and width to which the pictures of a folder are resized.

    Raises
    ------
    ArgumentError
        It is neither.
    DataError
        It cannot be loaded.
    """
    if source in _LOADERS:
        return load(str(source), None if data_dir is None else Path(data_dir, source))
    if Path(source).is_dir():
        return image_folder(source, size)
    name = str(source)
    near = suggest(name, _LOADERS) if Path(name).name == name else ""  # not of a path
    raise ArgumentError(
        f"{name!r} is neither a data set nor a folder of pictures{near}"
    )
