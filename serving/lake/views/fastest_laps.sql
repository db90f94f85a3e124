-- Which laps were the fastest? All that are fit for pace, by session.
SELECT
    session_id,
    rank() OVER (PARTITION BY session_id ORDER BY lap_time_ms) AS place,
    vehicle_id,
    car_number,
    lap_number,
    lap_time_ms / 1000 AS lap_time_s,
    (lap_time_ms - min(lap_time_ms) OVER (PARTITION BY session_id)) / 1000 AS gap_s,
    sector_1_time AS sector_1_s,
    sector_2_time AS sector_2_s,
    sector_3_time AS sector_3_s,
    top_speed_kmh,
    lap_time_source
FROM silver.laps
WHERE list_contains(fit_for, 'pace') AND lap_time_ms IS NOT NULL
ORDER BY session_id, place, vehicle_id, lap_number
