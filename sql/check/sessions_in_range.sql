-- Each row is a session that ends before it begins, is of more pages than events, or lies in another month than its day.
select
    session_key,
    customer_id,
    started_at,
    ended_at
from sessions
where
    ended_at < started_at
    or n_events < 1
    or n_pages < 0
    or n_pages > n_events
    or engagement_ms < 0
    or substr(cast(started_date as string), 1, 7) <> substr(cast(month as string), 1, 7)
    or (session_source_id is null) <> (delimited_by = 'inactivity')
