"""DuckDB as the lake's queries have it: it reads nothing but what it is given, and its settings stay as they are."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from typing import Any, Final

import duckdb

_CLOSED: Final = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


@cache
def query_engine() -> Any:
    """The process's engine; each query takes a cursor of it. What it has no memory for is in a folder of its own."""
    overflow = tempfile.mkdtemp(prefix="slipstream-sql-")  # which only this user can look into
    atexit.register(shutil.rmtree, overflow, ignore_errors=True)
    engine = duckdb.connect(config={**_CLOSED, "temp_directory": overflow})
    engine.execute("SET GLOBAL timezone = 'UTC'")
    engine.execute("SET lock_configuration = true")
    return engine


def reserved_words() -> list[str]:
    """Words of the engine's SQL, and names of its functions, sorted."""
    sql = """
        SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'
        UNION SELECT function_name FROM duckdb_functions() WHERE function_name SIMILAR TO '[a-z_]+'
        UNION VALUES ('tables'), ('describe'), ('summarize'), ('explain') ORDER BY 1
    """
    return [word for (word,) in query_engine().cursor().execute(sql).fetchall()]
