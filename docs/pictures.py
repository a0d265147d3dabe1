"""Make the pictures of a page by its own code, as it is written there.

    python docs/pictures.py docs/tutorials/own_table.md ...

runs the Python of each page in a new folder and keeps the pictures that it saves beside
the page.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def main(*pages: str) -> None:
    """Run the pages, some after others."""
    for page in map(Path, pages):
        text = page.read_text(encoding="utf-8")
        names = {"__name__": str(page)}
        with tempfile.TemporaryDirectory() as folder:
            with contextlib.chdir(folder):
                for code in PYTHON.findall(text):
                    exec(compile(code, str(page), "exec"), names)
            for picture in Path(folder).glob("*.png"):
                if f"]({picture.name})" in text:
                    few = Image.open(picture).convert("RGB").quantize(64)
                    few.save(page.with_name(picture.name), optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
