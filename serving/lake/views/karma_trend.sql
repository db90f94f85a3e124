-- How does each car's wear go from lap to lap, component by component?
-- A slope below 0 is a car that wears more with each lap.
SELECT
    session_id,
    vehicle_id,
    component,
    count(karma_score) AS n_laps,
    avg(karma_score) AS karma_mean,
    arg_max(karma_score, lap_number) FILTER (WHERE karma_score IS NOT NULL) AS karma_last,
    CASE WHEN count(karma_score) >= 5 THEN regr_slope(karma_score, lap_number) END AS karma_per_lap,
    max(cumulative_damage) AS cumulative_damage,
    arg_max(remaining_laps, lap_number) FILTER (WHERE remaining_laps IS NOT NULL) AS remaining_laps
FROM gold.karma_scores
GROUP BY session_id, vehicle_id, component
ORDER BY session_id, vehicle_id, component
