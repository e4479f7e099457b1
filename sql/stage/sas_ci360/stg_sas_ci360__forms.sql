-- One row per form that was sent off, from its fields.
-- grain: source_id
-- canonical: events
with

raw as (

    select * from raw_sas_ci360__form_details

),

mapped as (

    select
        min(record_id) as record_id,
        min(attributes) as attributes,
        detail_id || ':' || coalesce(form_nm, '') || ':' || coalesce(attempt_index_cnt, '') as source_id,
        max(load_dttm) as source_updated_at,
        max(identity_id) as customer_source_id,
        max(session_id) as session_source_id,
        'form_submitted' as name,
        'web' as channel,
        form_nm as touchpoint,
        max(form_field_detail_dttm) as occurred_at
    from raw
    where submit_flg
    group by detail_id, form_nm, attempt_index_cnt

)

select * from mapped
