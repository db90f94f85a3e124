"""Small texts in folders of the lake and beside the streams' checkpoints, wherever the lake is."""

from __future__ import annotations

import uuid
from typing import Any

from conf.lake import checkpoint_uri
from medallion.io import Lake
from medallion.jvm import java_name


class FolderFiles:
    """Small texts in a folder.

    Args:
        lake: Whose file system the folder is in.
        folder: Its URI.
    """

    def __init__(self, lake: Lake, folder: str) -> None:
        self._folder = folder
        self._spark, self._conf = lake.spark, lake.spark._jsc.hadoopConfiguration()
        self._gateway: Any = lake.spark._sc._gateway
        self._files = self._java("org.apache.hadoop.fs.Path")(self._folder).getFileSystem(self._conf)

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder below; none where it is not there."""
        path = self._path(folder)
        return (
            [status.getPath().getName() for status in self._files.listStatus(path)] if self._files.exists(path) else []
        )

    def read(self, name: str) -> str | None:
        """A file's text, ``None`` where it is not there."""
        path = self._path(name)
        if not self._files.exists(path):
            return None
        stream = self._files.open(path)
        try:
            return str(self._java("org.apache.commons.io.IOUtils.toString")(stream, "UTF-8"))
        finally:
            stream.close()

    def write(self, name: str, text: str) -> None:
        """Write a file; who reads meanwhile has this text or the one before, whole."""
        part, path = self._path(f".{name}.{uuid.uuid4()}"), self._path(name)
        stream = self._files.create(part, True)
        try:
            stream.write(text.encode())
        finally:
            stream.close()
        options = self._java("org.apache.hadoop.fs.Options.Rename")
        overwrite = self._gateway.new_array(options, 1)
        overwrite[0] = options.OVERWRITE
        context = self._java("org.apache.hadoop.fs.FileContext.getFileContext")(self._files.getUri(), self._conf)
        context.rename(part, path, overwrite)

    def _path(self, name: str) -> Any:
        return self._java("org.apache.hadoop.fs.Path")(f"{self._folder}/{name}")

    def _java(self, path: str) -> Any:
        return java_name(self._spark, path)


class CheckpointFiles(FolderFiles):
    """Small texts in a checkpoint's folder.

    Args:
        lake: Beside which the folder is.
        name: Folder.
    """

    def __init__(self, lake: Lake, name: str) -> None:
        super().__init__(lake, checkpoint_uri(name, lake.settings))
