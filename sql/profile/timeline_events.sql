-- One row per event in a customer's life; rows without a person or a time are not part of any life.
-- What has no local day yet gets it, and money its worth in the job's currency, where the timeline is written.
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

)

select * from all_events
where customer_id is not null
