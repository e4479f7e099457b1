-- One row per event in a customer's life; rows without a person or a time are not part of any life.
-- What has no local day yet gets it, and its money the rate of that day, where the timeline is written.
-- grain: event_id
with

all_events as (

    select
        customer_id,
        occurred_at,
        event_id,
        kind,
        name,
        source,
        channel,
        touchpoint,
        amount,
        currency,
        score,
        scale_max,
        is_favourable,
        reference,
        occurred_date,
        dt,
        is_visit,
        source_account,
        device,
        page_path,
        utm_source,
        utm_medium,
        utm_campaign,
        engagement_ms,
        is_session_engaged
    from dated_events
    union all
    select
        customer_id,
        occurred_at,
        event_id,
        kind,
        name,
        source,
        channel,
        touchpoint,
        amount,
        currency,
        score,
        scale_max,
        cast(null as boolean) as is_favourable,
        reference,
        occurred_date,
        dt,
        cast(null as boolean) as is_visit,
        cast(null as string) as source_account,
        cast(null as string) as device,
        cast(null as string) as page_path,
        cast(null as string) as utm_source,
        cast(null as string) as utm_medium,
        cast(null as string) as utm_campaign,
        cast(null as bigint) as engagement_ms,
        cast(null as boolean) as is_session_engaged
    from money_events

),

rates as (

    select * from fx_daily

)

select
    all_events.customer_id,
    all_events.occurred_at,
    all_events.event_id,
    all_events.kind,
    all_events.name,
    all_events.source,
    all_events.channel,
    all_events.touchpoint,
    all_events.amount,
    all_events.currency,
    all_events.score,
    all_events.scale_max,
    all_events.is_favourable,
    all_events.reference,
    all_events.occurred_date,
    all_events.dt,
    case
        when all_events.amount is null then cast(null as decimal(18, 4))
        -- An export without currencies is in the job's own.
        when coalesce(all_events.currency, run.currency) = run.currency then all_events.amount
        else try_cast(cast(all_events.amount as double) * rates.rate as decimal(18, 4))
    end as home_amount,
    all_events.is_visit,
    all_events.source_account,
    all_events.device,
    all_events.page_path,
    all_events.utm_source,
    all_events.utm_medium,
    all_events.utm_campaign,
    all_events.engagement_ms,
    all_events.is_session_engaged
from all_events
cross join run
left join rates
    on
        all_events.currency = rates.currency
        and all_events.occurred_date = rates.rate_date
where all_events.customer_id is not null
