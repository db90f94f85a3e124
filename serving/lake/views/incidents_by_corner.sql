-- Where do incidents happen: which kind, in which corner, how often, how badly?
SELECT
    session_id,
    corner,
    event_type,
    count(*) AS n_incidents,
    count(DISTINCT vehicle_id) AS n_vehicles,
    count(*) FILTER (WHERE severity = 'high') AS n_severe,
    median(lap_distance_m) AS lap_distance_m
FROM gold.dptad_events
GROUP BY ALL
ORDER BY session_id, n_incidents DESC, corner, event_type
