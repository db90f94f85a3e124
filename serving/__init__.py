"""The read side of the lake: tables, SQL and the balance, without a JVM."""
