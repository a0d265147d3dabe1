"""The sections of a page, a file each: results in, HTML out."""
