-- One row per event from outside.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__external_event

),

mapped as (

    select
        record_id,
        attributes,
        event_id as source_id,
        load_dttm as source_updated_at,
        identity_id as customer_source_id,
        replace(lower(event_nm), ' ', '_') as name,
        case when lower(channel_nm) in ('web', 'email', 'sms') then lower(channel_nm) else 'other' end as channel,
        external_event_dttm as occurred_at,
        properties_map_doc as properties
    from raw

)

select * from mapped
