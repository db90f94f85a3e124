"""Tables that users bring as text: any delimiter, quotes, encoding, line ends and packing, read in bounded memory.

:func:`open_text_table` looks at a file's beginning and finds how it is written; what it gives reads the rest the same
way, line by line, and says of each line that it leaves out why.
"""

from conf.text_table.packing import Packing, find_packing, open_unpacked, read_head
from conf.text_table.rows import MalformedLine, TextRow
from conf.text_table.source import (
    ArchiveMember,
    ForeignFileError,
    SourceFile,
    TextTableError,
    open_source,
    source_size,
)
from conf.text_table.table import TextTable, open_text_table

__all__ = [
    "ArchiveMember",
    "ForeignFileError",
    "MalformedLine",
    "Packing",
    "SourceFile",
    "TextRow",
    "TextTable",
    "TextTableError",
    "find_packing",
    "open_source",
    "open_text_table",
    "open_unpacked",
    "read_head",
    "source_size",
]
