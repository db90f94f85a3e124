-- Who stopped when, and for how long?
SELECT
    session_id,
    vehicle_id,
    car_number,
    lap_number AS in_lap,
    row_number() OVER (PARTITION BY session_id, vehicle_id ORDER BY lap_number) AS stop,
    pit_time_s,
    lap_time_ms / 1000 AS lap_time_s
FROM silver.laps
WHERE pit_in
ORDER BY session_id, vehicle_id, lap_number
