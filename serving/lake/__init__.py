"""Read Delta tables without a JVM."""
