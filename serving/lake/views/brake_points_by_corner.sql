-- Where does each driver brake for each corner, how evenly, and how much earlier than the latest?
-- Medians over laps fit for pace, in metres before the apex. Below five laps a spread says nothing, and is null. A corner
-- for which a driver does not brake is not listed for that driver.
WITH drivers AS (
    SELECT
        session_id,
        corner,
        vehicle_id,
        any_value(passes.label) AS label,
        any_value(laps.car_number) AS car_number,
        any_value(passes.apex_m) AS apex_m,
        count(passes.brake_before_apex_m) AS n_laps,
        median(passes.brake_before_apex_m) AS brake_before_apex_m,
        CASE WHEN count(passes.brake_before_apex_m) >= 5 THEN stddev_samp(passes.brake_before_apex_m) END AS spread_m,
        max(passes.brake_before_apex_m) AS earliest_before_apex_m,
        min(passes.brake_before_apex_m) AS latest_before_apex_m,
        median(passes.brake_peak_bar) FILTER (WHERE passes.brake_before_apex_m IS NOT NULL) AS brake_peak_bar
    FROM gold.corner_passes AS passes
    JOIN silver.laps AS laps USING (session_id, vehicle_id, lap_number)
    WHERE list_contains(laps.fit_for, 'pace')
    GROUP BY session_id, corner, vehicle_id
    HAVING count(passes.brake_before_apex_m) > 0
)
SELECT
    session_id,
    corner,
    label,
    rank() OVER (PARTITION BY session_id, corner ORDER BY brake_before_apex_m) AS place,
    vehicle_id,
    car_number,
    n_laps,
    brake_before_apex_m,
    spread_m,
    brake_before_apex_m - min(brake_before_apex_m) OVER (PARTITION BY session_id, corner) AS earlier_than_latest_m,
    earliest_before_apex_m,
    latest_before_apex_m,
    brake_peak_bar,
    apex_m
FROM drivers
ORDER BY session_id, corner, place, vehicle_id
