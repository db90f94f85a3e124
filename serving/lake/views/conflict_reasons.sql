-- What contradicts what was there first: which channels, of whom, how often?
SELECT
    session_id,
    vehicle_id,
    bronze_topic,
    channel,
    count(*) AS n_units,
    min(ecu_ts) AS first_ecu_ts,
    max(ecu_ts) AS last_ecu_ts
FROM silver.conflicts
GROUP BY ALL
ORDER BY n_units DESC, session_id, vehicle_id, channel
