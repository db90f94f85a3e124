-- What would each driver's best sectors add up to, and what is that worth against the best lap?
WITH sectors AS (
    SELECT session_id, vehicle_id, round(sum(sector_s), 3) AS theoretical_best_s, count(*) AS n_sectors
    FROM analysis.sector_bests
    GROUP BY session_id, vehicle_id
)
SELECT
    session_id,
    rank() OVER (PARTITION BY session_id ORDER BY round(theoretical_best_s, 3)) AS place,
    vehicle_id,
    car_number,
    theoretical_best_s,
    lap_time_s AS best_lap_s,
    round(lap_time_s - theoretical_best_s, 3) AS left_in_the_lap_s
FROM sectors
JOIN analysis.best_laps USING (session_id, vehicle_id)
WHERE n_sectors = 3
ORDER BY session_id, place, vehicle_id
