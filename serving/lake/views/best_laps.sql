-- What is each driver's best lap, and how far from the best of the session?
WITH best AS (
    SELECT * FROM analysis.fastest_laps
    QUALIFY row_number() OVER (PARTITION BY session_id, vehicle_id ORDER BY place, lap_number) = 1
)
SELECT * REPLACE (rank() OVER (PARTITION BY session_id ORDER BY place) AS place)
FROM best
ORDER BY session_id, place, vehicle_id
