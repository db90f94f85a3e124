-- How evenly does each driver lap?
-- The spread of laps fit for pace within 7 % of the driver's best, with its 95 % interval.
-- The interval is that of a normal spread; its chi-squared quantiles are Wilson's and Hilferty's (1931). Below five laps
-- a spread says nothing, and is null.
WITH laps AS (
    SELECT session_id, vehicle_id, car_number, lap_time_ms / 1000 AS lap_time_s
    FROM silver.laps
    WHERE list_contains(fit_for, 'pace') AND lap_time_ms IS NOT NULL
    QUALIFY lap_time_ms <= 1.07 * min(lap_time_ms) OVER (PARTITION BY session_id, vehicle_id)
),
spreads AS (
    SELECT
        session_id,
        vehicle_id,
        any_value(car_number) AS car_number,
        count(*) AS n_laps,
        median(lap_time_s) AS median_lap_s,
        CASE WHEN count(*) >= 5 THEN stddev_samp(lap_time_s) END AS spread_s,
        count(*) - 1 AS k
    FROM laps
    GROUP BY session_id, vehicle_id
)
SELECT
    session_id,
    CASE WHEN spread_s IS NOT NULL THEN rank() OVER (PARTITION BY session_id ORDER BY spread_s NULLS LAST) END AS place,
    vehicle_id,
    car_number,
    n_laps,
    median_lap_s,
    spread_s,
    spread_s / pow(1 - 2 / (9 * k) + 1.959964 * sqrt(2 / (9 * k)), 1.5) AS spread_low_s,
    spread_s / pow(1 - 2 / (9 * k) - 1.959964 * sqrt(2 / (9 * k)), 1.5) AS spread_high_s
FROM spreads
ORDER BY session_id, place NULLS LAST, vehicle_id
