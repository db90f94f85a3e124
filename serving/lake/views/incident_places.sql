-- In which micro-sector of the track's newest segmentation did each incident happen?
WITH newest AS (
    SELECT * FROM gold.microsectors
    QUALIFY segmentation_version = max(segmentation_version) OVER (PARTITION BY track_id)
),
placed AS (
    SELECT events.*, sessions.track_id
    FROM gold.dptad_events AS events
    JOIN silver.sessions AS sessions USING (session_id)
)
SELECT
    placed.session_id,
    placed.vehicle_id,
    placed.lap_number,
    placed.event_ts,
    placed.category,
    placed.event_type,
    placed.severity,
    placed.corner,
    placed.sector_id,
    newest.microsector_id,
    newest.zone_type,
    placed.lap_distance_m,
    placed.magnitude,
    placed.unit,
    placed.message
FROM placed
ASOF LEFT JOIN newest ON placed.track_id = newest.track_id AND placed.lap_distance_m >= newest.start_m
ORDER BY placed.session_id, placed.vehicle_id, placed.lap_number, placed.event_ts, placed.event_type
