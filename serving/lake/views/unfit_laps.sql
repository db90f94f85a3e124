-- Why are laps not used: for which purpose, by which reason, and how many?
WITH purposes AS (
    SELECT session_id, vehicle_id, unnest(map_entries(unfit_for)) AS entry FROM silver.laps
),
reasons AS (
    SELECT session_id, vehicle_id, entry.key AS purpose, unnest(entry.value) AS reason FROM purposes
)
SELECT session_id, purpose, reason, count(*) AS n_laps, count(DISTINCT vehicle_id) AS n_vehicles
FROM reasons
GROUP BY session_id, purpose, reason
ORDER BY session_id, purpose, n_laps DESC, reason
