"""The read side without a JVM: lake, queries, charts, reports and what is pushed to other systems."""
