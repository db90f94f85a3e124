-- How fast was each car at its fastest, and on which lap?
WITH best AS (
    SELECT * FROM silver.laps
    WHERE top_speed_kmh IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY session_id, vehicle_id ORDER BY top_speed_kmh DESC, lap_number) = 1
)
SELECT
    session_id,
    rank() OVER (PARTITION BY session_id ORDER BY top_speed_kmh DESC) AS place,
    vehicle_id,
    car_number,
    lap_number,
    top_speed_kmh
FROM best
ORDER BY session_id, place, vehicle_id
