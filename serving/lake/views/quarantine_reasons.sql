-- What was refused, by which rule, how often, and what did it look like?
WITH refused AS (
    SELECT bronze_topic, session_id, vehicle_id, quarantined_ts, payload_excerpt, unnest(reasons) AS reason
    FROM silver.quarantine
)
SELECT
    bronze_topic,
    reason.rule AS rule,
    reason.column_name AS column_name,
    count(*) AS n_units,
    count(DISTINCT session_id) AS n_sessions,
    count(DISTINCT vehicle_id) AS n_vehicles,
    any_value(reason.observed) AS example,
    any_value(payload_excerpt) AS payload_excerpt,
    max(quarantined_ts) AS last_ts
FROM refused
GROUP BY ALL
ORDER BY n_units DESC, bronze_topic, rule, column_name
