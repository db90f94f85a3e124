"""A table's schema and properties, read and created without a query."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from conf.contract import ROWS_PROPERTY, Contract
from medallion.jvm import java_name, java_none
from medallion.schema import struct_type
from medallion.transaction import CONFLICTS, latest_snapshot


def table_metadata(spark: SparkSession, uri: str) -> tuple[dict[str, str], StructType]:
    """Properties and schema of the latest version of a table."""
    metadata = latest_snapshot(spark, uri).metadata()
    to_java = java_name(spark, "scala.jdk.javaapi.CollectionConverters.asJava")
    properties = dict(to_java(metadata.configuration()))
    return properties, StructType.fromJson(json.loads(metadata.schemaString()))


def create_table(spark: SparkSession, uri: str, contract: Contract) -> bool:
    """Create a table from its contract by Delta's own transaction; whether it was not there.

    ``CREATE TABLE`` does the same by way of a catalogue, in a second and more.
    """
    delta, none = "org.apache.spark.sql.delta", java_none(spark)
    log = java_name(spark, f"{delta}.DeltaLog.forTable")(spark._jsparkSession, uri)
    transaction = log.startTransaction(none, none)
    parse = java_name(spark, f"{delta}.actions.Action.fromJson")
    metadata = parse(json.dumps({"metaData": new_metadata(contract)}))
    operation = java_name(spark, f"{delta}.DeltaOperations$CreateTable")(metadata, False, False, none)
    try:
        transaction.updateMetadataForNewTable(metadata)
        transaction.commit(none.toList(), operation)
    except CONFLICTS:  # another writer has created it
        return False
    return True


def new_metadata(contract: Contract) -> dict[str, Any]:
    """Metadata of a new table as a table's log has it. Only key columns must have a value."""
    comments = {c.name: (c.comment, c.required) for c in contract.columns}
    schema = struct_type(contract).jsonValue()
    for field in schema["fields"]:
        comment, required = comments[field["name"]]
        field |= {"nullable": not required, "metadata": {"comment": comment}}
    return {
        "id": str(uuid.uuid4()),
        "description": contract.description,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(schema),
        "partitionColumns": list(contract.partition_columns),
        "configuration": contract.table_properties | {ROWS_PROPERTY: contract.version},
        "createdTime": time.time_ns() // 1_000_000,
    }
