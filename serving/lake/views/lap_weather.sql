-- In what weather was each lap driven? The last measurement before its end.
SELECT
    laps.session_id,
    laps.vehicle_id,
    laps.car_number,
    laps.lap_number,
    laps.lap_time_ms / 1000 AS lap_time_s,
    weather.air_temp_c,
    weather.track_temp_c,
    weather.humidity_pct,
    weather.wind_speed_kmh,
    weather.wind_dir_deg,
    weather.rain,
    date_diff('second', weather.event_ts, laps.lap_end_ts) AS measured_before_s
FROM silver.laps AS laps
ASOF LEFT JOIN silver.environment AS weather
    ON laps.session_id = weather.session_id AND laps.lap_end_ts >= weather.event_ts
WHERE laps.lap_end_ts IS NOT NULL
ORDER BY laps.session_id, laps.vehicle_id, laps.lap_number
