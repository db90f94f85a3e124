-- How is each driver's style judged, in what share of the time, and how surely?
SELECT
    session_id,
    vehicle_id,
    label,
    count(*) AS n_windows,
    count(*) / sum(count(*)) OVER (PARTITION BY session_id, vehicle_id) AS share,
    avg(confidence_pct) AS confidence_mean_pct
FROM gold.style_predictions
GROUP BY session_id, vehicle_id, label
ORDER BY session_id, vehicle_id, n_windows DESC
