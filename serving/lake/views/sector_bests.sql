-- Who was the quickest in each sector, on which lap, and how far is each driver from that?
WITH sectors AS (
    SELECT session_id, vehicle_id, car_number, lap_number, unnest([1, 2, 3]) AS sector,
        unnest([sector_1_time, sector_2_time, sector_3_time]) AS sector_s
    FROM silver.laps
    WHERE list_contains(fit_for, 'sectors')
),
best AS (
    SELECT * FROM sectors
    WHERE sector_s IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY session_id, sector, vehicle_id ORDER BY sector_s, lap_number) = 1
)
SELECT
    session_id,
    sector,
    rank() OVER (PARTITION BY session_id, sector ORDER BY sector_s) AS place,
    vehicle_id,
    car_number,
    lap_number,
    sector_s,
    sector_s - min(sector_s) OVER (PARTITION BY session_id, sector) AS gap_s
FROM best
ORDER BY session_id, sector, place, vehicle_id
