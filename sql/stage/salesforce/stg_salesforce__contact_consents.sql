-- One row per contact and checkbox: no mail, no calls. A box that is not ticked says nothing.
-- grain: source_id
-- canonical: consents
with

raw as (

    select * from raw_salesforce__contacts

),

boxes (purpose) as (

    values ('email_marketing'), ('phone')

),

ticked as (

    select
        raw.*,
        boxes.purpose,
        case boxes.purpose when 'phone' then raw.do_not_call else raw.is_opted_out end as is_ticked
    from raw
    cross join boxes

),

mapped as (

    select
        record_id,
        contact_id || ':' || purpose as source_id,
        updated_at as source_updated_at,
        extracted_at,
        is_deleted,
        contact_id as customer_source_id,
        email,
        purpose,
        case purpose when 'phone' then 'phone' else 'email' end as channel,
        case
            when not is_ticked then 'unknown'
            when purpose = 'phone' then 'denied'
            else 'withdrawn'
        end as state,
        true as is_snapshot
    from ticked
    where is_ticked is not null

)

select * from mapped
