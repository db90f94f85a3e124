-- How fast is each driver through each corner at the slowest point, how evenly, and how much slower than the fastest?
-- Medians over laps fit for pace. Below five laps a spread says nothing, and is null.
WITH drivers AS (
    SELECT
        session_id,
        corner,
        vehicle_id,
        any_value(passes.label) AS label,
        any_value(laps.car_number) AS car_number,
        count(passes.min_speed_kmh) AS n_laps,
        median(passes.min_speed_kmh) AS min_speed_kmh,
        CASE WHEN count(passes.min_speed_kmh) >= 5 THEN stddev_samp(passes.min_speed_kmh) END AS spread_kmh,
        min(passes.min_speed_kmh) AS lowest_kmh,
        max(passes.min_speed_kmh) AS highest_kmh,
        mode(passes.min_speed_gear) AS gear,
        median(passes.exit_speed_kmh) AS exit_speed_kmh,
        median(passes.corner_time_s) AS corner_time_s
    FROM gold.corner_passes AS passes
    JOIN silver.laps AS laps USING (session_id, vehicle_id, lap_number)
    WHERE list_contains(laps.fit_for, 'pace')
    GROUP BY session_id, corner, vehicle_id
    HAVING count(passes.min_speed_kmh) > 0
)
SELECT
    session_id,
    corner,
    label,
    rank() OVER (PARTITION BY session_id, corner ORDER BY min_speed_kmh DESC) AS place,
    vehicle_id,
    car_number,
    n_laps,
    min_speed_kmh,
    spread_kmh,
    max(min_speed_kmh) OVER (PARTITION BY session_id, corner) - min_speed_kmh AS slower_than_fastest_kmh,
    lowest_kmh,
    highest_kmh,
    gear,
    exit_speed_kmh,
    corner_time_s
FROM drivers
ORDER BY session_id, corner, place, vehicle_id
